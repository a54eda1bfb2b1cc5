"""Put a Sudoku data set together: collect puzzles, keep the splits apart, write it."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from puzzles.sudoku import SUDOKUS, Sudoku
from training.data_splits import cut, keep_apart
from training.dataset import (
    DatasetError,
    DatasetInfo,
    Indices,
    PuzzleArrays,
    Regime,
    Split,
    write_dataset,
)
from training.sudoku_csv import HUB_DATASET, HUB_TEST, HUB_TRAIN, hub_file, read_csv
from training.sudoku_generator import generate_chunk

log = logging.getLogger(__name__)

LARGEST_1K = 1000  # puzzles of the *1k* regime
_GENERATED_AT_ONCE = 64


@dataclass(frozen=True)
class SudokuRequest:
    """What `ponder data sudoku` was asked for. All puzzles of a data set have one size."""

    sudoku: Sudoku
    seed: int
    csv: tuple[Path, ...] = ()  # training puzzles
    test_csv: tuple[Path, ...] = ()
    generate: int = 0
    extra_givens: tuple[int, int] = (0, 0)
    hub: bool = False
    hub_dir: Path | None = None  # a local copy of the Hub's files, read in place of the Hub
    validation: int = 0  # puzzles held out of training
    test: int = 0  # further puzzles held out of training, into the test split
    regime: Regime = "open"


@dataclass(frozen=True)
class _Collected:
    """Puzzles by their destination, each with one line of provenance per input."""

    training: Split
    test: Split
    names: tuple[str, ...]
    provenance: tuple[str, ...]


def sudoku_of_size(size: int) -> Sudoku:
    """The Sudoku with `size` symbols. Raises: DatasetError."""
    for sudoku in SUDOKUS:
        if sudoku.size == size:
            return sudoku
    known = ", ".join(str(sudoku.size) for sudoku in SUDOKUS)
    raise DatasetError(f"size {size}: no such Sudoku; sizes are {known}")


def parse_range(text: str) -> tuple[int, int]:
    """Read `A-B` as (A, B). Raises: DatasetError."""
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal() and int(low) <= int(high)):
        raise DatasetError(f"{text!r} is no range: expected A-B with A ≤ B, as in 0-10")
    return int(low), int(high)


def build_sudoku(request: SudokuRequest, directory: Path, progress: Progress) -> DatasetInfo:
    """Build the data set `directory` with the splits train, validation and test.

    No two splits hold equivalent puzzles, by any symmetry of Sudoku, nor from 9×9 on puzzles with
    equivalent solved grids; see `training.data_splits`.
    Raises: DatasetError for unreadable input, too few puzzles, puzzles that are not of the regime,
    or a directory that exists.
    """
    if directory.exists():
        raise DatasetError(f"{directory}: exists already; choose another or remove it")
    collected = _collect(request, progress)
    apart = keep_apart(collected.training, collected.test, collected.names, request.sudoku)
    _check_regime(request, len(apart.keep))
    rng = np.random.default_rng(request.seed)
    parts = cut(apart, validation=request.validation, test=request.test, rng=rng)
    splits = {
        "train": _part(collected.training, parts.train),
        "validation": _part(collected.training, parts.validation),
        "test": _joined([collected.test, _part(collected.training, parts.test)]),
    }
    outcome = apart.outcome
    if parts.left_out:
        outcome += (f"left out {parts.left_out} puzzles that share a grid with held-out ones",)
    log.info("training puzzles compared", extra={"outcome": outcome})
    return write_dataset(
        directory,
        splits,
        puzzle=request.sudoku.spec.name,
        seed=request.seed,
        regime=request.regime,
        sources=collected.names,
        provenance=collected.provenance + outcome,
    )


def _check_regime(request: SudokuRequest, puzzles: int) -> None:
    """Raises: DatasetError if the puzzles to train on, held out or not, are not of the regime."""
    if request.regime == "open":
        return
    if request.generate:
        raise DatasetError("regime 1k: generated puzzles make a data set open")
    if puzzles > LARGEST_1K:
        raise DatasetError(f"regime 1k: {puzzles:,} training puzzles, at most {LARGEST_1K:,}")


def _collect(request: SudokuRequest, progress: Progress) -> _Collected:
    training_files, test_files = list(request.csv), list(request.test_csv)
    if request.hub:
        training_files.append(hub_file(HUB_TRAIN, request.hub_dir))
        test_files.append(hub_file(HUB_TEST, request.hub_dir))
    names: dict[str, int] = {}
    provenance = []
    empty = _empty(request.sudoku)
    destinations = []
    for split, files in (("train", training_files), ("test", test_files)):
        parts = [empty]
        for path in files:
            parts.append(read_csv(path, request.sudoku, names, progress))
            provenance.append(f"{split}: {len(parts[-1].puzzles)} puzzles from {path.name}")
        destinations.append(parts)
    training, test = destinations
    if request.hub:
        provenance.append(f"{HUB_TRAIN} and {HUB_TEST} are those of {HUB_DATASET}")
    if request.generate:
        training.append(_generated(request, names, progress))
        low, high = request.extra_givens
        provenance.append(f"train: {request.generate} generated puzzles, {low}-{high} extra givens")
    if len(training) == 1:
        raise DatasetError("no training puzzles: name a CSV file, a number to generate or the Hub")
    return _Collected(_joined(training), _joined(test), tuple(names), tuple(provenance))


def _generated(request: SudokuRequest, names: dict[str, int], progress: Progress) -> Split:
    task = progress.add_task(f"generating {request.sudoku.spec.name}", total=request.generate)
    parts = []
    for chunk, done in enumerate(range(0, request.generate, _GENERATED_AT_ONCE)):
        made = generate_chunk(
            request.sudoku,
            seed=request.seed,
            chunk_index=chunk,
            count=min(_GENERATED_AT_ONCE, request.generate - done),
            extra_givens=request.extra_givens,
        )
        parts.append(made)
        progress.update(task, advance=len(made))
    puzzles = PuzzleArrays.concatenate(parts)
    source = names.setdefault("generated", len(names))
    return Split(puzzles, np.full(len(puzzles), source, np.uint8))


def _empty(sudoku: Sudoku) -> Split:
    cells = np.zeros((0, sudoku.spec.seq_len), np.uint8)
    return Split(PuzzleArrays(cells, cells, np.zeros(0, np.int32)), np.zeros(0, np.uint8))


def _part(split: Split, index: Indices) -> Split:
    return Split(split.puzzles[index], split.sources[index])


def _joined(parts: list[Split]) -> Split:
    puzzles = PuzzleArrays.concatenate([part.puzzles for part in parts])
    return Split(puzzles, np.concatenate([part.sources for part in parts]))
