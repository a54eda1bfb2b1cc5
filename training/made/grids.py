"""What made tasks are drawn from: grids, shapes on them, and the things that lie there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from puzzles.arc import COLOURS
from puzzles.kind import Grid

Rng = np.random.Generator
Mask = npt.NDArray[np.bool_]
Drawn = tuple[Grid, Grid]  # a question and its answer
Draw = Callable[[Rng], Drawn | None]  # None: nothing came of it, draw again
Family = Callable[[Rng], Draw]  # chooses a rule
OptionT = TypeVar("OptionT")

TRIES = 20
BESIDE = ((-1, 0), (1, 0), (0, -1), (0, 1))
AROUND = (*BESIDE, (-1, -1), (-1, 1), (1, -1), (1, 1))


def pick(rng: Rng, options: Sequence[OptionT]) -> OptionT:
    return options[int(rng.integers(len(options)))]


def between(rng: Rng, low: int, high: int) -> int:
    """From low to high, both included."""
    return int(rng.integers(low, high + 1))


def colours(rng: Rng, count: int) -> list[int]:
    """Different ones, none of them black."""
    return [int(c) for c in 1 + rng.choice(COLOURS - 1, count, replace=False)]


def blank(rng: Rng, low: int = 5, high: int = 10) -> Grid:
    """Black, with sides from low to high; one in two is square."""
    height = between(rng, low, high)
    width = height if rng.random() < 0.5 else between(rng, low, high)
    return np.zeros((height, width), np.uint8)


def noise(rng: Rng, height: int, width: int, palette: Sequence[int], density: float) -> Grid:
    """Each cell holds one of the colours with this probability, else black."""
    cells = rng.choice(np.array(palette, np.uint8), (height, width))
    return np.where(rng.random((height, width)) < density, cells, 0).astype(np.uint8)


def scatter(rng: Rng, grid: Grid, palette: Sequence[int], count: int, *, apart: bool) -> None:
    """Put single cells where it is black; apart: where all around it is black, too."""
    for _ in range(count):
        place(rng, grid, np.array([[pick(rng, palette)]], np.uint8), gap=int(apart))


def place(rng: Rng, grid: Grid, shape: Grid, gap: int = 1) -> tuple[int, int] | None:
    """Draw a shape where it and `gap` cells around are black; None if no place was found."""
    height, width = shape.shape
    if height > grid.shape[0] or width > grid.shape[1]:
        return None
    for _ in range(TRIES):
        row = between(rng, 0, grid.shape[0] - height)
        column = between(rng, 0, grid.shape[1] - width)
        around = grid[
            max(0, row - gap) : row + height + gap, max(0, column - gap) : column + width + gap
        ]
        if not around.any():
            part = grid[row : row + height, column : column + width]
            part[shape > 0] = shape[shape > 0]
            return row, column
    return None


def blob(rng: Rng, size: int) -> Mask:
    """A connected shape of `size` cells, by its sides."""
    cells = {(0, 0)}
    while len(cells) < size:
        row, column = pick(rng, sorted(cells))
        down, right = pick(rng, BESIDE)
        cells.add((row + down, column + right))
    at = np.array(sorted(cells))
    at -= at.min(0)
    shape = np.zeros(at.max(0) + 1, bool)
    shape[at[:, 0], at[:, 1]] = True
    return shape


def rectangle(rng: Rng, low: int, high: int, *, hollow: bool = False) -> Mask:
    shape = np.ones((between(rng, low, high), between(rng, low, high)), bool)
    if hollow:
        shape[1:-1, 1:-1] = False
    return shape


def shape_of(rng: Rng) -> Mask:
    """A blob, a line, a rectangle, a hollow one: all kinds of things."""
    kind = rng.random()
    if kind < 0.5:
        return blob(rng, between(rng, 1, 7))
    if kind < 0.65:
        line = np.ones((1, between(rng, 2, 4)), bool)
        return line if rng.random() < 0.5 else line.T
    return rectangle(rng, 2, 4, hollow=kind > 0.85)


def with_things(
    rng: Rng,
    palette: Sequence[int],
    *,
    low: int = 2,
    high: int = 5,
    shape: Callable[[Rng], Mask] = shape_of,
) -> Grid:
    """A grid with some things of one colour each, apart from each other."""
    grid = blank(rng, 6, 10)
    for _ in range(between(rng, low, high)):
        place(rng, grid, shape(rng).astype(np.uint8) * np.uint8(pick(rng, palette)))
    return grid


@dataclass(frozen=True)
class Thing:
    """Cells that hang together: a mask of the whole grid."""

    mask: Mask
    colour: int

    @property
    def size(self) -> int:
        return int(self.mask.sum())

    @property
    def box(self) -> tuple[slice, slice]:
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

    @property
    def shape(self) -> Mask:
        """The mask in its box."""
        part: Mask = self.mask[self.box]
        return part


def things(grid: Grid, *, by_colour: bool = True) -> list[Thing]:
    """What hangs together by sides or corners, row by row; black is nothing."""
    seen = np.zeros(grid.shape, bool)
    found = []
    for row, column in np.argwhere(grid > 0):
        if seen[row, column]:
            continue
        colour = int(grid[row, column])
        mask = flooded((grid == colour) if by_colour else (grid > 0), row, column, AROUND)
        seen |= mask
        found.append(Thing(mask, colour))
    return found


def flooded(free: Mask, row: int, column: int, steps: Sequence[tuple[int, int]] = BESIDE) -> Mask:
    """All free cells that are reached from one of them."""
    reached = np.zeros(free.shape, bool)
    reached[row, column] = True
    edge = [(int(row), int(column))]
    while edge:
        r, c = edge.pop()
        for down, right in steps:
            at = r + down, c + right
            if is_on(free, *at) and free[at] and not reached[at]:
                reached[at] = True
                edge.append(at)
    return reached


def enclosed(grid: Grid) -> Mask:
    """Black cells from which no way of black cells leads to the edge."""
    padded = np.pad(grid == 0, 1, constant_values=True)
    outside = flooded(padded, 0, 0)[1:-1, 1:-1]
    inside: Mask = (grid == 0) & ~outside
    return inside


def is_on(grid: Grid | Mask, row: int, column: int) -> bool:
    height, width = grid.shape[:2]
    return bool(0 <= row < height and 0 <= column < width)


def along(grid: Grid, row: int, column: int, step: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The cells behind a cell in one direction, up to the edge."""
    row, column = row + step[0], column + step[1]
    while is_on(grid, row, column):
        yield row, column
        row, column = row + step[0], column + step[1]


def box_of(grid: Grid) -> Grid:
    """What is not black, cut out; the grid itself where there is nothing."""
    if not grid.any():
        return grid
    return grid[Thing(grid > 0, 0).box]
