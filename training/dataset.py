"""The data set on disk: a directory of memory-mapped arrays and `dataset.json`, written last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from training.set_files import (
    DatasetError,
    SetInfo,
    check_file,
    file_sha256,
    read_info,
    written_aside,
)

__all__ = ["DatasetError"]  # raised here, made in `set_files`

FORMAT_VERSION = 1
DATASET_FILE = "dataset.json"
ARRAYS = ("questions", "answers", "ratings", "sources")

Indices = npt.NDArray[np.int64]
# 1k: nothing but the 1,000 training puzzles of Sudoku-Extreme; open: any that are in no test file.
Regime = Literal["1k", "open"]


@dataclass(frozen=True)
class PuzzleArrays:
    """Puzzles in memory; a cell is 0 where empty.

    Ratings of different sources are those of different solvers: ours (naked and hidden singles)
    needs about twice the guesses that Sudoku-Extreme states.
    """

    questions: npt.NDArray[np.uint8]  # (N, S)
    answers: npt.NDArray[np.uint8]  # (N, S)
    ratings: npt.NDArray[np.int32]  # (N,) guesses of a backtracking solver; 0 = none needed

    @classmethod
    def concatenate(cls, parts: Sequence["PuzzleArrays"]) -> "PuzzleArrays":
        """One behind the other; at least one part."""
        return cls(
            np.concatenate([part.questions for part in parts]),
            np.concatenate([part.answers for part in parts]),
            np.concatenate([part.ratings for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: slice | npt.NDArray[np.bool_ | np.int64]) -> "PuzzleArrays":
        return PuzzleArrays(self.questions[index], self.answers[index], self.ratings[index])


@dataclass(frozen=True)
class Split:
    """The puzzles of one split, and for each the index of its source in `DatasetInfo.sources`."""

    puzzles: PuzzleArrays
    sources: npt.NDArray[np.uint8]  # (N,)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitInfo(_Frozen):
    """How many puzzles a split has, and the sha256 of each of its array files."""

    count: int = Field(ge=0)
    sha256: dict[str, str]


class DatasetInfo(SetInfo, frozen=True, extra="forbid"):
    """What `dataset.json` says."""

    format_version: int = FORMAT_VERSION
    puzzle: str  # PuzzleSpec.name
    seed: int
    regime: Regime = "open"  # sets from before regimes claim nothing
    sources: tuple[str, ...] = Field(max_length=256)
    provenance: tuple[str, ...]  # one line per input: what it was, how many puzzles it gave
    splits: dict[str, SplitInfo]

    @classmethod
    def read(cls, directory: Path) -> "DatasetInfo":
        """Raises: DatasetError naming the file and what is wrong with it."""
        path = directory / DATASET_FILE
        made_by = "build a data set with `ponder data`"
        return read_info(cls, path, version=FORMAT_VERSION, made_by=made_by)


@final
@dataclass(frozen=True)
class PuzzleSet:
    """One split of a data set, its arrays memory-mapped and read-only."""

    info: DatasetInfo
    questions: npt.NDArray[np.uint8]  # (N, S)
    answers: npt.NDArray[np.uint8]  # (N, S)
    ratings: npt.NDArray[np.int32]  # (N,)
    sources: npt.NDArray[np.uint8]  # (N,) index into info.sources

    def __len__(self) -> int:
        return len(self.questions)

    @classmethod
    def open(cls, directory: Path, split: str, *, puzzle: str | None = None) -> "PuzzleSet":
        """Map one split after checking every array against its sha256.

        Raises: DatasetError if anything is missing or damaged, if the split is empty, or if the
        data set is not of `puzzle` (a `PuzzleSpec.name`).
        """
        info = DatasetInfo.read(directory)
        if puzzle is not None and info.puzzle != puzzle:
            raise DatasetError(f"{directory}: holds {info.puzzle}, expected {puzzle}")
        if split not in info.splits:
            known = ", ".join(info.splits)
            raise DatasetError(f"{directory}: no split {split!r}; splits are {known}")
        if info.splits[split].count == 0:
            raise DatasetError(f"{directory}: split {split!r} is empty")
        questions, answers, ratings, sources = (
            _map_array(directory, split, name, info.splits[split]) for name in ARRAYS
        )
        return cls(info, questions, answers, ratings, sources)


def write_dataset(
    directory: Path,
    splits: Mapping[str, Split],
    *,
    puzzle: str,
    seed: int,
    regime: Regime = "open",
    sources: Sequence[str],
    provenance: Sequence[str],
) -> DatasetInfo:
    """Write a data set aside, `dataset.json` last, then rename it to `directory`.

    Raises: DatasetError if `directory` exists already.
    """
    with written_aside(directory) as aside:
        info = DatasetInfo(
            puzzle=puzzle,
            seed=seed,
            regime=regime,
            sources=tuple(sources),
            provenance=tuple(provenance),
            splits={name: _write_split(aside, name, split) for name, split in splits.items()},
        )
        (aside / DATASET_FILE).write_text(info.model_dump_json(indent=1) + "\n")
    return info


def _array_path(directory: Path, split: str, name: str) -> Path:
    return directory / f"{split}_{name}.npy"


def _write_split(directory: Path, name: str, split: Split) -> SplitInfo:
    arrays: dict[str, npt.NDArray[Any]] = {
        "questions": split.puzzles.questions.astype(np.uint8, copy=False),
        "answers": split.puzzles.answers.astype(np.uint8, copy=False),
        "ratings": split.puzzles.ratings.astype(np.int32, copy=False),
        "sources": split.sources.astype(np.uint8, copy=False),
    }
    hashes = {}
    for array_name, array in arrays.items():
        path = _array_path(directory, name, array_name)
        np.save(path, array, allow_pickle=False)
        hashes[array_name] = file_sha256(path)
    return SplitInfo(count=len(split.puzzles), sha256=hashes)


def _map_array(directory: Path, split: str, name: str, info: SplitInfo) -> npt.NDArray[Any]:
    path = _array_path(directory, split, name)
    check_file(path, info.sha256.get(name), DATASET_FILE)
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if len(array) != info.count:
        raise DatasetError(f"{path}: {len(array)} puzzles, but {DATASET_FILE} says {info.count}")
    return array
