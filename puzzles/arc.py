"""ARC: grids of any size up to a canvas, ten colours, a task that only its demonstrations tell.

A `Grid` here is a whole canvas: colours 0-9 where the grid lies, `OUTSIDE` elsewhere, so that grids
of all sizes make one array. Tokens are the reference's (TRM, dataset/build_arc_dataset.py): 0 pads,
1 marks where a grid ends (just below its last row, just right of its last column), colour c is
c + 2. One line of text writes rows of digits with `/` between them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, final

import numpy as np
import numpy.typing as npt

from puzzles.errors import CellProblem, InvalidGridError
from puzzles.kind import (
    Example,
    Grid,
    PuzzleKind,
    PuzzleSpec,
    RawGrid,
    Tokens,
    Undo,
    Verdict,
    View,
)

PAD_TOKEN, END_TOKEN, FIRST_COLOUR_TOKEN = 0, 1, 2
COLOURS = 10
OUTSIDE = COLOURS  # the cell value beyond a grid
LARGEST_SIDE = 30
DIHEDRAL = 8
INVERSE_DIHEDRAL = (0, 3, 2, 1, 4, 5, 6, 7)
VARIANT_SEED = 0


def dihedral(grid: npt.NDArray[Any], transform: int) -> npt.NDArray[Any]:
    """0 as it is, 1-3 quarter turns, 4 left-right, 5 up-down, 6 transposed, 7 the other diagonal.

    Any (H, W). Source: TRM reference, dataset/common.py.
    """
    if transform < 4:
        return np.rot90(grid, transform)
    if transform == 4:
        return np.fliplr(grid)
    if transform == 5:
        return np.flipud(grid)
    if transform == 6:
        return grid.T
    return np.fliplr(np.rot90(grid))


@dataclass(frozen=True)
class Variant:
    """An augmented task: its grids turned and recoloured. colours[c]: what colour c becomes."""

    transform: int = 0
    colours: tuple[int, ...] = tuple(range(COLOURS))

    def apply(self, grid: Grid) -> Grid:
        """(H, W) of colours and OUTSIDE -> the same, turned."""
        return dihedral(self._table[grid], self.transform)

    def undo(self, grid: Grid) -> Grid:
        """Inverse of `apply`."""
        back = dihedral(grid, INVERSE_DIHEDRAL[self.transform])
        original: Grid = np.argsort(self._table).astype(np.uint8)[back]
        return original

    @cached_property
    def _table(self) -> npt.NDArray[np.uint8]:
        return np.array([*self.colours, OUTSIDE], np.uint8)


@lru_cache(maxsize=4096)
def variant(index: int) -> Variant:
    """The augmented tasks in a fixed order: eight turns, then eight turns of each recolouring.

    Black stays black, as in the reference. The order is part of every task table: never change it.
    """
    recolouring, transform = divmod(index, DIHEDRAL)
    if not recolouring:
        return Variant(transform)
    rng = np.random.default_rng((VARIANT_SEED, recolouring))
    return Variant(transform, (0, *(1 + rng.permutation(COLOURS - 1)).tolist()))


@final
class Arc(PuzzleKind):
    """Grids on a canvas of `size` × `size` cells, laid at its top left corner."""

    def __init__(self, size: int) -> None:
        self.size = size

    @cached_property
    def spec(self) -> PuzzleSpec:
        """No units: no rule checks an answer."""
        return PuzzleSpec(
            kind="arc",
            name=f"arc-{self.size}x{self.size}",
            height=self.size,
            width=self.size,
            seq_len=self.size**2,
            vocab_size=FIRST_COLOUR_TOKEN + COLOURS,
            uses_task=True,
        )

    def fits(self, raw: RawGrid) -> bool:
        rows = raw.strip().split("/") if isinstance(raw, str) else raw
        return max(len(rows), max(map(len, rows), default=0)) <= self.size

    def parse(self, raw: RawGrid) -> Grid:
        """Read rows of colours, or digits with `/` between rows. Raises: InvalidGridError."""
        return self.on_canvas(parse_colours(raw))

    def on_canvas(self, grid: Grid) -> Grid:
        """Lay (H, W) colours on a canvas. Raises: InvalidGridError if they are too large."""
        height, width = grid.shape
        if max(height, width) > self.size:
            message = f"grid is {height}×{width}, the canvas {self.size}×{self.size}"
            raise InvalidGridError(CellProblem(message))
        canvas = np.full((self.size, self.size), OUTSIDE, np.uint8)
        canvas[:height, :width] = grid
        return canvas

    def rows(self, grid: Grid) -> list[list[int]]:
        rows: list[list[int]] = cropped(grid).tolist()
        return rows

    def format(self, grid: Grid) -> str:
        return "/".join("".join(map(str, row)) for row in self.rows(grid))

    def check(self, question: Grid) -> None:
        """Shape, range, and one rectangle of colours. Raises: InvalidGridError."""
        if question.shape != (self.size, self.size):
            message = f"canvas is {question.shape}, expected {(self.size, self.size)}"
            raise InvalidGridError(CellProblem(message))
        problems = [
            CellProblem(f"{question[r, c]} is not in 0..{COLOURS - 1}", int(r) + 1, int(c) + 1)
            for r, c in np.argwhere(question > OUTSIDE)
        ]
        inside = question != OUTSIDE
        if not problems and inside.sum() != cropped(question).size:
            problems = [CellProblem("the colours are no rectangle")]
        if not problems and not inside.any():
            problems = [CellProblem("the grid has no cells")]
        if problems:
            raise InvalidGridError(*problems)

    def is_complete(self, question: Grid) -> bool:  # noqa: ARG002 (a task always asks for more)
        return False

    def encode(self, grid: Grid) -> Tokens:
        """Colours, and end marks just below and just right of them; the grid may lie anywhere."""
        tokens: Tokens = self.encode_flat(grid.reshape(1, -1))[0]
        return tokens

    def encode_flat(self, cells: npt.NDArray[np.uint8]) -> Tokens:
        canvas = cells.reshape(-1, self.size, self.size)
        inside = canvas != OUTSIDE
        ends = np.zeros_like(inside)
        ends[:, 1:] |= inside[:, :-1]
        ends[:, :, 1:] |= inside[:, :, :-1]
        tokens = np.where(ends, END_TOKEN, PAD_TOKEN).astype(np.int32)
        np.copyto(tokens, canvas.astype(np.int32) + FIRST_COLOUR_TOKEN, where=inside)
        return tokens.reshape(len(cells), -1)

    def decode(self, tokens: Tokens) -> Grid:
        """The largest rectangle of nothing but colours at the top left corner; it may be empty.

        Source: TRM reference, evaluators/arc.py.
        """
        cells = tokens.reshape(self.size, self.size) - FIRST_COLOUR_TOKEN
        is_colour = (cells >= 0) & (cells < COLOURS)
        height, width = _largest_corner(is_colour)
        return self.on_canvas(cells[:height, :width].astype(np.uint8))

    def verify(self, question: Grid, answer: Grid) -> Verdict:
        """No rule tells; what is no canvas is wrong."""
        whole = question.shape == answer.shape == (self.size, self.size)
        return Verdict.unknown if whole else Verdict.wrong

    def augment(self, example: Example, rng: np.random.Generator) -> tuple[Example, Undo]:
        """A turn, a recolouring of 1-9, and the same shift of question and answer."""
        colours = (0, *(1 + rng.permutation(COLOURS - 1)).tolist())
        changed = Variant(int(rng.integers(DIHEDRAL)), colours)
        question = changed.apply(cropped(example.question))
        answer = changed.apply(cropped(example.answer))
        sides = np.maximum(question.shape, answer.shape)
        down, right = rng.integers(self.size + 1 - sides).tolist()

        def lay(grid: Grid) -> Grid:
            return np.roll(self.on_canvas(grid), (down, right), (0, 1))

        def undo(grid: Grid) -> Grid:
            return self.on_canvas(changed.undo(cropped(grid)))

        return Example(lay(question), lay(answer)), undo

    def views(self, question: Grid, rng: np.random.Generator) -> Iterator[View]:  # noqa: ARG002
        """The variants, in their fixed order: each has a row of its own in the task table."""
        grid, index = cropped(question), 0
        while True:
            yield self.view(grid, index)
            index += 1

    def view(self, grid: Grid, index: int) -> View:
        """(H, W) colours as one of the variants sees them."""
        seen = variant(index)
        return View(
            self.on_canvas(seen.apply(grid)),
            undo=lambda answer: self.on_canvas(seen.undo(cropped(answer))),
            variant=index,
        )


def parse_colours(raw: RawGrid) -> Grid:
    """Read rows of colours (or `012/345`) into (H, W). Raises: InvalidGridError."""
    rows = _digits(raw) if isinstance(raw, str) else raw
    if not rows or not rows[0]:
        raise InvalidGridError(CellProblem("the grid has no cells"))
    problems = []
    if max(len(rows), *map(len, rows)) > LARGEST_SIDE:
        size = f"{len(rows)}×{max(map(len, rows))}"
        problems.append(
            CellProblem(f"grid is {size}, at most {LARGEST_SIDE}×{LARGEST_SIDE} are allowed")
        )
    for r, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            problems.append(CellProblem(f"{len(row)} cells, the first row has {len(rows[0])}", r))
        problems += [
            CellProblem(f"{cell} is not in 0..{COLOURS - 1}", r, c)
            for c, cell in enumerate(row, 1)
            if not 0 <= cell < COLOURS
        ]
    if problems:
        raise InvalidGridError(*problems)
    return np.array(rows, np.uint8)


def _digits(text: str) -> list[list[int]]:
    lines = text.strip().split("/")
    problems = [
        CellProblem(f"{character!r} is not one of 0123456789", r, c)
        for r, line in enumerate(lines, 1)
        for c, character in enumerate(line, 1)
        if character not in "0123456789"
    ]
    if problems:
        raise InvalidGridError(*problems)
    return [list(map(int, line)) for line in lines]


def cropped(canvas: Grid) -> Grid:
    """The rectangle of a canvas that holds its colours, (H, W); (0, 0) where there are none."""
    inside = canvas != OUTSIDE
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return canvas[:0, :0]
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _largest_corner(is_colour: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Height and width of the largest all-True rectangle at the top left; the widest of equals."""
    widths = np.minimum.accumulate(is_colour.argmin(1) + is_colour.all(1) * is_colour.shape[1])
    areas = widths * np.arange(1, len(widths) + 1)
    best = int(areas.argmax())
    return (best + 1, int(widths[best])) if areas[best] else (0, 0)


ARCS = (Arc(10), Arc(15), Arc(20), Arc(30))
