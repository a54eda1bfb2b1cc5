"""Sudoku puzzles from files: the CSV columns of Sudoku-Extreme, and its files on the Hub."""

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from puzzles.errors import PuzzleError
from puzzles.kind import Verdict
from puzzles.sudoku import Sudoku
from training.dataset import DatasetError, PuzzleArrays, Split

COLUMNS = ("source", "question", "answer", "rating")
HUB_DATASET = "sapientinc/sudoku-extreme"
HUB_TRAIN, HUB_TEST = "train.csv", "test.csv"


class _Row(NamedTuple):
    source: str
    question: npt.NDArray[np.uint8]  # (H, W)
    answer: npt.NDArray[np.uint8]  # (H, W)
    rating: int


def read_csv(path: Path, sudoku: Sudoku, names: dict[str, int], progress: Progress) -> Split:
    """Read and verify every row of a CSV file, gzip-compressed if its name ends in `.gz`.

    `names` maps each source to its index and grows by the sources of this file.
    Raises: DatasetError naming the file, and for a bad row its line and what is wrong with it.
    """
    questions, answers = bytearray(), bytearray()
    ratings: list[int] = []
    sources: list[int] = []
    try:
        with progress.open(path, "rb", description=path.name) as raw:
            for row in _rows(path, raw, sudoku):
                questions += row.question.tobytes()
                answers += row.answer.tobytes()
                ratings.append(row.rating)
                sources.append(names.setdefault(row.source, len(names)))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    if not ratings:
        raise DatasetError(f"{path}: holds no puzzles")
    if len(names) > 256:
        raise DatasetError(f"{path}: {len(names)} sources so far, a data set holds at most 256")
    shape = (len(ratings), sudoku.spec.seq_len)
    puzzles = PuzzleArrays(
        np.frombuffer(questions, np.uint8).reshape(shape),
        np.frombuffer(answers, np.uint8).reshape(shape),
        np.array(ratings, np.int32),
    )
    return Split(puzzles, np.array(sources, np.uint8))


def _rows(path: Path, raw: BinaryIO, sudoku: Sudoku) -> Iterator[_Row]:
    binary = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
    reader = csv.DictReader(io.TextIOWrapper(binary, "utf-8", newline=""), restval="")
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise DatasetError(f"{path}, line 1: no column {', '.join(missing)}")
    for fields in reader:
        try:
            yield _verified_row(fields, sudoku)
        except ValueError as error:
            raise DatasetError(f"{path}, line {reader.line_num}: {error}") from error


def _verified_row(fields: dict[str, str], sudoku: Sudoku) -> _Row:
    """Raises: ValueError naming the column and what is wrong with it."""
    if not fields["rating"].isdecimal():
        raise ValueError(f"rating: {fields['rating']!r} is not a number of guesses")
    grids = {}
    for column in ("question", "answer"):
        try:
            grids[column] = sudoku.parse(fields[column])
            sudoku.check(grids[column])
        except PuzzleError as error:
            raise ValueError(f"{column}: {error}") from error
    if sudoku.verify(grids["question"], grids["answer"]) is not Verdict.solved:
        raise ValueError("answer: it does not solve the question")
    return _Row(fields["source"], grids["question"], grids["answer"], int(fields["rating"]))


def hub_file(name: str, local: Path | None) -> Path:
    """A file of the public data set: from a local copy of its layout, else downloaded (cached).

    Raises: DatasetError if the copy lacks it, or if the Hub cannot be reached.
    """
    if local is not None:
        for path in (local / name, local / f"{name}.gz"):
            if path.is_file():
                return path
        raise DatasetError(f"{local / name}: no such file in the local copy of {HUB_DATASET}")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(HUB_DATASET, name, repo_type="dataset"))
    except OSError as error:
        message = f"cannot fetch {name} of {HUB_DATASET} from the Hugging Face Hub"
        hint = "go online, or name a local copy with --hub-dir"
        raise DatasetError(f"{message} ({error}); {hint}") from error
