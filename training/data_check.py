"""Whether a data set on disk trains on what test files hold, by any symmetry."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from puzzles.sudoku import SUDOKUS, Sudoku
from training.dataset import DatasetError, DatasetInfo, PuzzleArrays, PuzzleSet
from training.equivalence import compare, tells_grids
from training.sudoku_csv import read_csv

TEST = "test"  # the split that need not keep apart from test files


@dataclass(frozen=True)
class Overlap:
    """How many puzzles of a split resemble a test puzzle."""

    split: str
    puzzles: int
    questions: int  # equivalent to a test puzzle
    grids: int | None  # others with an equivalent solved grid; None where those tell nothing

    @property
    def any(self) -> bool:
        """Whether the split is not to be trained on."""
        return bool(self.questions or self.grids)


def overlaps(directory: Path, against: Sequence[Path], progress: Progress) -> list[Overlap]:
    """Compare every split that is trained or selected on with the test split and the CSV files.

    Raises: DatasetError if anything cannot be read, or if there is nothing to compare with.
    """
    info = DatasetInfo.read(directory)
    sudoku = _sudoku_of(info)
    held = {name: _arrays(directory, name) for name, split in info.splits.items() if split.count}
    tests = [puzzles for name, puzzles in held.items() if name == TEST]
    tests += [read_csv(path, sudoku, {}, progress).puzzles for path in against]
    if not tests:
        raise DatasetError(f"{directory}: has no test split; name files to compare with: --against")
    test = PuzzleArrays.concatenate(tests)
    found = {name: compare(held[name], test, sudoku) for name in held if name != TEST}
    return [
        Overlap(
            name,
            len(one.questions),
            int(one.equivalent.sum()),
            int(one.shares_grid.sum()) if tells_grids(sudoku) else None,
        )
        for name, one in found.items()
    ]


def overlap_table(directory: Path, found: Sequence[Overlap]) -> Table:
    """For people."""
    table = Table(title=f"{directory}, beside test puzzles")
    table.add_column("split")
    for title in ("puzzles", "equivalent", "sharing a solved grid"):
        table.add_column(title, justify="right")
    for one in found:
        grids = "-" if one.grids is None else f"{one.grids:,}"
        table.add_row(one.split, f"{one.puzzles:,}", f"{one.questions:,}", grids)
    return table


def _sudoku_of(info: DatasetInfo) -> Sudoku:
    for sudoku in SUDOKUS:
        if sudoku.spec.name == info.puzzle:
            return sudoku
    raise DatasetError(f"{info.puzzle}: equivalence is known of Sudoku only")


def _arrays(directory: Path, split: str) -> PuzzleArrays:
    puzzles = PuzzleSet.open(directory, split)
    return PuzzleArrays(puzzles.questions, puzzles.answers, puzzles.ratings)
