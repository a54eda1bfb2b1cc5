"""The types everything hangs on: grids, tokens, the spec of a puzzle and the kind's interface.

A kind here is *one* puzzle at *one* size (Sudoku 9×9). Sizes of the same puzzle share a `kind` name
and are told apart by `PuzzleSpec.name`; `puzzles.registry` picks the one that fits a question.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Grid = npt.NDArray[np.uint8]  # (H, W), as people write it: Sudoku 0 = empty, ARC 0-9 = colour
Grids = npt.NDArray[np.uint8]  # (B, H, W)
Tokens = npt.NDArray[np.int32]  # (S,)
RawGrid = str | list[list[int]]  # what arrives from outside: one line of characters, or rows
Undo = Callable[[Grid], Grid]  # takes an answer of the changed puzzle back to the original's


class Verdict(StrEnum):
    """What the rules say of an answer; `unknown` where no rule can tell (ARC)."""

    solved = "solved"
    wrong = "wrong"
    unknown = "unknown"


class UnitFamily(BaseModel):
    """A partition of the cells into units in which every symbol stands exactly once.

    `units` holds flat cell indices (row · W + column), one tuple per unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    units: tuple[tuple[int, ...], ...]


class PuzzleSpec(BaseModel):
    """Everything other packages may know of a puzzle; travels checkpoint → manifest → server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str
    height: int = Field(gt=0)
    width: int = Field(gt=0)
    seq_len: int = Field(gt=0)
    vocab_size: int = Field(gt=0)
    pad_token: int = 0
    uses_task: bool = False
    box_height: int | None = None
    box_width: int | None = None
    units: tuple[UnitFamily, ...] = ()

    @property
    def symbols(self) -> int:
        """How many symbols an all-different puzzle has (9 for a 9×9 Sudoku); 0 for other kinds."""
        return len(self.units[0].units[0]) if self.units else 0


@dataclass(frozen=True)
class Example:
    """A question (0 where empty) and its answer, both (H, W) uint8."""

    question: Grid
    answer: Grid


@dataclass(frozen=True)
class View:
    """The same question seen differently, and the way back for its answer.

    variant: which augmentation of its task this is, where tasks have a row for each.
    """

    question: Grid
    undo: Undo
    variant: int = 0


class PuzzleKind(ABC):
    """One puzzle at one size. A new kind subclasses this in one file and enters the registry."""

    @property
    @abstractmethod
    def spec(self) -> PuzzleSpec:
        """Sizes and units of this puzzle."""

    @cached_property
    def units_of_cells(self) -> tuple[tuple[int, ...], ...]:
        """Per cell, flat, the units that it stands in; all families' units are counted through."""
        units = [unit for family in self.spec.units for unit in family.units]
        return tuple(
            tuple(index for index, unit in enumerate(units) if cell in unit)
            for cell in range(self.spec.seq_len)
        )

    @cached_property
    def neighbours(self) -> npt.NDArray[np.float32]:
        """(S, S): 1 where two cells share a unit, and where a cell that has one meets itself."""
        units = [set(units) for units in self.units_of_cells]
        return np.array([[bool(one & other) for other in units] for one in units], np.float32)

    @abstractmethod
    def fits(self, raw: RawGrid) -> bool:
        """Whether this size is one for `raw`: by characters of a line, else by rows."""

    @abstractmethod
    def parse(self, raw: RawGrid) -> Grid:
        """Read an outside form into a (H, W) uint8 grid.

        Raises: InvalidGridError with the place of every malformed row, value or character.
        """

    @abstractmethod
    def format(self, grid: Grid) -> str:
        """The one-line text form of a grid; `parse` reads it back."""

    def rows(self, grid: Grid) -> list[list[int]]:
        """The rows of integers that people write; `parse` reads them back."""
        rows: list[list[int]] = grid.tolist()
        return rows

    @abstractmethod
    def check(self, question: Grid) -> None:
        """Reject a question that no answer can satisfy on sight.

        Raises: InvalidGridError naming shape, range or clashing cells by row and column.
        """

    @abstractmethod
    def is_complete(self, question: Grid) -> bool:
        """Whether the question leaves nothing to fill in."""

    @abstractmethod
    def encode(self, grid: Grid) -> Tokens:
        """(H, W) grid -> (S,) int32 tokens."""

    def encode_flat(self, cells: npt.NDArray[np.uint8]) -> Tokens:
        """Many grids at once: (N, S) flat cells -> (N, S) int32 tokens."""
        shape = (self.spec.height, self.spec.width)
        tokens = np.empty(cells.shape, np.int32)
        for row, flat in enumerate(cells):
            tokens[row] = self.encode(flat.reshape(shape))
        return tokens

    @abstractmethod
    def decode(self, tokens: Tokens) -> Grid:
        """(S,) tokens -> (H, W) grid. A token that is no symbol becomes 0."""

    def decode_all(self, tokens: npt.NDArray[np.int32]) -> Grids:
        """Many rows at once: (B, S) tokens -> (B, H, W) grids."""
        return np.stack([self.decode(row) for row in tokens])

    @abstractmethod
    def verify(self, question: Grid, answer: Grid) -> Verdict:
        """What the rules say of `answer` as an answer to `question`. Never raises on content."""

    def verify_all(self, questions: Grids, answers: Grids) -> list[Verdict]:
        """Many at once: (B, H, W) each."""
        return [self.verify(*pair) for pair in zip(questions, answers, strict=True)]

    @abstractmethod
    def augment(self, example: Example, rng: np.random.Generator) -> tuple[Example, Undo]:
        """An equivalent example drawn from the puzzle's symmetries."""

    @abstractmethod
    def views(self, question: Grid, rng: np.random.Generator) -> Iterator[View]:
        """Endless views of a question; the first is the question itself."""
