"""The puzzles of an evaluation: a split of a data set, or a CSV file as it is."""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from puzzles.kind import PuzzleKind
from puzzles.registry import by_name
from puzzles.sudoku import SUDOKUS, Sudoku
from training.dataset import DatasetError, PuzzleSet
from training.sudoku_csv import read_csv


@dataclass(frozen=True)
class EvaluationData:
    """N puzzles of one size with their answers; a cell is 0 where empty."""

    name: str
    kind: PuzzleKind
    questions: npt.NDArray[np.uint8]  # (N, S)
    answers: npt.NDArray[np.uint8]  # (N, S)
    ratings: npt.NDArray[np.int32]  # (N,)
    sources: npt.NDArray[np.uint8]  # (N,) index into source_names
    source_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.questions)

    def evenly_spaced(self, count: int) -> "EvaluationData":
        """`count` puzzles from beginning to end: files often lie source by source."""
        if count >= len(self):
            return self
        return self.take(np.linspace(0, len(self) - 1, count).astype(np.int64))

    def take(self, puzzles: npt.NDArray[np.int64]) -> "EvaluationData":
        """These puzzles, in this order."""
        return EvaluationData(
            name=self.name,
            kind=self.kind,
            questions=self.questions[puzzles],
            answers=self.answers[puzzles],
            ratings=self.ratings[puzzles],
            sources=self.sources[puzzles],
            source_names=self.source_names,
        )


def read_evaluation_data(path: Path, split: str, progress: Progress) -> EvaluationData:
    """Read a data set directory's `split`, or a CSV file with the columns of Sudoku-Extreme.

    Raises: DatasetError.
    """
    return _from_set(path, split) if path.is_dir() else _from_csv(path, progress)


def _from_set(directory: Path, split: str) -> EvaluationData:
    puzzles = PuzzleSet.open(directory, split)
    return EvaluationData(
        name=f"{directory.name}/{split}",
        kind=by_name(puzzles.info.puzzle),
        questions=puzzles.questions,
        answers=puzzles.answers,
        ratings=puzzles.ratings,
        sources=puzzles.sources,
        source_names=puzzles.info.sources,
    )


def _from_csv(path: Path, progress: Progress) -> EvaluationData:
    sudoku, names = _size_of(path), dict[str, int]()
    read = read_csv(path, sudoku, names, progress)
    return EvaluationData(
        name=path.name,
        kind=sudoku,
        questions=read.puzzles.questions,
        answers=read.puzzles.answers,
        ratings=read.puzzles.ratings,
        sources=read.sources,
        source_names=tuple(names),
    )


def _size_of(path: Path) -> Sudoku:
    """The Sudoku that fits the first question of a CSV file. Raises: DatasetError."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            first = next(csv.DictReader(file), {})
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    question = first.get("question") or ""
    for sudoku in SUDOKUS:
        if sudoku.spec.seq_len == len(question.strip()):
            return sudoku
    if not first:
        raise DatasetError(f"{path}: holds no puzzles")
    raise DatasetError(f"{path}, line 2: question: {len(question)} characters fit no Sudoku")
