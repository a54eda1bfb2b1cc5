"""Sudoku at any size: N×N cells, N symbols, N boxes of `box_height` × `box_width` cells.

Tokens are the reference's: 0 pads, 1 is an empty cell, symbol d is d + 1.
One line of text writes symbols 1-9 then A-Z, row by row, `.` or `0` for an empty cell.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any, final

import numpy as np
import numpy.typing as npt

from puzzles.errors import CellProblem, InvalidGridError
from puzzles.kind import (
    Example,
    Grid,
    Grids,
    PuzzleKind,
    PuzzleSpec,
    RawGrid,
    Tokens,
    Undo,
    UnitFamily,
    Verdict,
    View,
)

EMPTY_TOKEN = 1
ALPHABET = ".123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@final
class Sudoku(PuzzleKind):
    """Sudoku of one size; boxes are `box_height` rows by `box_width` columns."""

    def __init__(self, box_height: int, box_width: int) -> None:
        self.box_height = box_height
        self.box_width = box_width
        self.size = box_height * box_width

    @cached_property
    def spec(self) -> PuzzleSpec:
        """Units are rows, columns and boxes, in this order."""
        cells = np.arange(self.size**2).reshape(self.size, self.size)
        bands, stacks = self.size // self.box_height, self.size // self.box_width
        boxes = cells.reshape(bands, self.box_height, stacks, self.box_width).swapaxes(1, 2)
        families = {"row": cells, "column": cells.T, "box": boxes.reshape(self.size, self.size)}
        return PuzzleSpec(
            kind="sudoku",
            name=f"sudoku-{self.size}x{self.size}",
            height=self.size,
            width=self.size,
            seq_len=self.size**2,
            vocab_size=self.size + 2,
            box_height=self.box_height,
            box_width=self.box_width,
            units=tuple(
                UnitFamily(name=name, units=tuple(tuple(unit) for unit in units.tolist()))
                for name, units in families.items()
            ),
        )

    @cached_property
    def _units(self) -> npt.NDArray[np.int64]:
        """All units, (3 · N, N) flat cell indices."""
        return np.array([unit for family in self.spec.units for unit in family.units])

    def fits(self, raw: RawGrid) -> bool:
        return len(raw.strip()) == self.size**2 if isinstance(raw, str) else len(raw) == self.size

    def parse(self, raw: RawGrid) -> Grid:
        """Read a line of N² characters or N rows of N integers. Raises: InvalidGridError."""
        return self._parse_line(raw) if isinstance(raw, str) else self._parse_rows(raw)

    def _parse_line(self, line: str) -> Grid:
        text = line.strip()
        if len(text) != self.size**2:
            message = f"{len(text)} characters, expected {self.size**2}"
            raise InvalidGridError(CellProblem(message))
        symbols = self._symbols_of_characters
        cells = [symbols.get(character, -1) for character in text]
        if -1 in cells:
            known = ALPHABET[: self.size + 1]
            raise InvalidGridError(
                *(
                    self._problem(i, f"{character!r} is not one of {known}")
                    for i, character in enumerate(text)
                    if cells[i] < 0
                )
            )
        return np.array(cells, np.uint8).reshape(self.size, self.size)

    @cached_property
    def _symbols_of_characters(self) -> dict[str, int]:
        known = ALPHABET[: self.size + 1]
        symbols = {character: symbol for symbol, character in enumerate(known)}
        return symbols | {character.lower(): symbols[character] for character in known} | {"0": 0}

    def _parse_rows(self, rows: list[list[int]]) -> Grid:
        problems = []
        if len(rows) != self.size:
            problems.append(CellProblem(f"{len(rows)} rows, expected {self.size}"))
        for r, row in enumerate(rows, 1):
            if len(row) != self.size:
                problems.append(CellProblem(f"{len(row)} cells, expected {self.size}", r))
            problems += [
                CellProblem(f"{cell} is not in 0..{self.size}", r, c)
                for c, cell in enumerate(row, 1)
                if not 0 <= cell <= self.size
            ]
        if problems:
            raise InvalidGridError(*problems)
        return np.array(rows, np.uint8)

    def format(self, grid: Grid) -> str:
        """N² characters, `.` where empty."""
        return "".join(ALPHABET[cell] for cell in grid.ravel().tolist())

    def check(self, question: Grid) -> None:
        """Shape, range, and no symbol twice in a unit. Raises: InvalidGridError."""
        if question.shape != (self.size, self.size):
            message = f"grid is {question.shape}, expected {(self.size, self.size)}"
            raise InvalidGridError(CellProblem(message))
        cells = question.ravel()
        problems = [
            self._problem(i, f"{cells[i]} is not in 0..{self.size}")
            for i in np.flatnonzero(cells > self.size)
        ]
        if not problems and self._has_clash(cells):
            problems = self._clashes(cells)
        if problems:
            raise InvalidGridError(*problems)

    def _has_clash(self, cells: npt.NDArray[np.uint8]) -> bool:
        """Whether a symbol stands twice in a unit: then its bit is once in "or", twice in a sum."""
        bits = self._bits_of_symbols[cells][self._units]
        sums = np.add.reduce(bits, axis=1, dtype=np.uint64)
        return bool((sums != np.bitwise_or.reduce(bits, axis=1)).any())

    def _clashes(self, cells: npt.NDArray[np.uint8]) -> list[CellProblem]:
        problems = []
        for family in self.spec.units:
            for unit in family.units:
                given = sorted((int(cells[i]), i) for i in unit if cells[i])
                problems += [
                    self._problem(
                        second,
                        f"{symbol} already stands in row {first // self.size + 1}, column "
                        f"{first % self.size + 1} (same {family.name})",
                    )
                    for (symbol, first), (other, second) in pairwise(given)
                    if symbol == other
                ]
        return problems

    def _problem(self, index: int | np.integer, message: str) -> CellProblem:
        return CellProblem(message, int(index) // self.size + 1, int(index) % self.size + 1)

    def is_complete(self, question: Grid) -> bool:
        """No empty cell left."""
        return bool(question.all())

    def encode(self, grid: Grid) -> Tokens:
        """Empty -> 1, symbol d -> d + 1."""
        return grid.ravel().astype(np.int32) + EMPTY_TOKEN

    def decode(self, tokens: Tokens) -> Grid:
        """Inverse of `encode`; anything that is no symbol becomes 0."""
        grid: Grid = self.decode_all(tokens[np.newaxis])[0]
        return grid

    def decode_all(self, tokens: npt.NDArray[np.int32]) -> Grids:
        """As `decode`, (B, S) -> (B, H, W)."""
        cells = np.take(self._symbols_of_tokens, tokens, mode="clip")
        return cells.reshape(-1, self.size, self.size)

    @cached_property
    def _bits_of_symbols(self) -> npt.NDArray[Any]:
        """By cell value; 0 for what is no symbol of this size."""
        bits = np.zeros(256, np.uint16 if self.size < 16 else np.uint64)
        bits[1 : self.size + 1] = 1 << np.arange(self.size, dtype=np.uint64)
        return bits

    @cached_property
    def _symbols_of_tokens(self) -> npt.NDArray[np.uint8]:
        """By token; 0 at both ends, to which every other number is clipped."""
        return np.array([0, *range(self.size + 1), 0], np.uint8)

    def verify(self, question: Grid, answer: Grid) -> Verdict:
        """Solved when the givens stand and every unit holds every symbol once."""
        shape = (self.size, self.size)
        if question.shape != shape or answer.shape != shape:
            return Verdict.wrong
        return self.verify_all(question[np.newaxis], answer[np.newaxis])[0]

    def verify_all(self, questions: Grids, answers: Grids) -> list[Verdict]:
        """As `verify`, (B, H, W) each."""
        kept = ((questions == 0) | (questions == answers)).all((1, 2))
        # A symbol is a bit; a unit that holds them all, holds each once.
        bits = self._bits_of_symbols[answers.reshape(len(answers), -1)]
        found = np.bitwise_or.reduce(bits[:, self._units], axis=2)
        complete = (found == self._bits_of_symbols.sum()).all(1)
        return [Verdict.solved if good else Verdict.wrong for good in (kept & complete).tolist()]

    def augment(self, example: Example, rng: np.random.Generator) -> tuple[Example, Undo]:
        """Symbols permuted, bands, rows in bands, stacks, columns in stacks, transpose."""
        symbols = np.concatenate([[0], 1 + rng.permutation(self.size)]).astype(np.uint8)
        rows = _shuffled_lines(self.size, self.box_height, rng)
        columns = _shuffled_lines(self.size, self.box_width, rng)
        # A transposed grid has transposed boxes: only square boxes keep their shape.
        transpose = self.box_height == self.box_width and bool(rng.integers(2))

        def change(grid: Grid) -> Grid:
            moved = symbols[grid][rows][:, columns]
            return np.ascontiguousarray(moved.T if transpose else moved)

        def undo(grid: Grid) -> Grid:
            moved = grid.T if transpose else grid
            original = np.empty_like(moved)
            original[np.ix_(rows, columns)] = np.argsort(symbols).astype(np.uint8)[moved]
            return original

        return Example(change(example.question), change(example.answer)), undo

    def views(self, question: Grid, rng: np.random.Generator) -> Iterator[View]:
        """The question itself, then endless augmentations of it."""
        yield View(question, undo=lambda answer: answer)
        while True:
            changed, undo = self.augment(Example(question, question), rng)
            yield View(changed.question, undo)


def _shuffled_lines(size: int, block: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Rows (or columns) in shuffled order: blocks move as one, lines move within their block."""
    lines = np.arange(size).reshape(size // block, block)
    lines = rng.permuted(lines, axis=1)[rng.permutation(size // block)]
    return lines.ravel()


SUDOKUS = (Sudoku(2, 2), Sudoku(2, 3), Sudoku(3, 3), Sudoku(4, 4), Sudoku(5, 5))
