"""What can be wrong with a puzzle that somebody hands in.

PuzzleError
├── UnknownKindError          no kind of that name
├── UnsupportedShapeError     the kind exists, but not at this size
└── InvalidGridError          a malformed or contradictory grid; `problems` names the cells
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CellProblem:
    """One thing wrong at one place; `row` and `column` count from 1, None = the whole grid."""

    message: str
    row: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        if self.row is None:
            return self.message
        if self.column is None:
            return f"row {self.row}: {self.message}"
        return f"row {self.row}, column {self.column}: {self.message}"


class PuzzleError(ValueError):
    """Base of everything a caller can do wrong with a puzzle."""


class UnknownKindError(PuzzleError):
    """No puzzle kind of that name is registered."""


class UnsupportedShapeError(PuzzleError):
    """The kind is known, but no variant of it has this size."""


class InvalidGridError(PuzzleError):
    """The grid is malformed or contradicts itself."""

    def __init__(self, *problems: CellProblem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems
