"""Rules about shapes: ranked, filled, partly recoloured, moved."""

import numpy as np

from puzzles.kind import Grid
from training.made.grids import (
    Draw,
    Drawn,
    Mask,
    Rng,
    between,
    blank,
    blob,
    colours,
    enclosed,
    pick,
    place,
    rectangle,
    shape_of,
    things,
    with_things,
)


def by_rank(rng: Rng) -> Draw:
    """Bars from an edge, or things, get a colour each by how large they are."""
    own, *ranks = colours(rng, 4)
    as_bars = rng.random() < 0.5
    turn = between(rng, 0, 3)

    def draw(rng: Rng) -> Drawn | None:
        sizes = rng.choice(np.arange(1, 9), 3, replace=False)
        grid = blank(rng, 9, 10) if as_bars else blank(rng, 8, 10)
        if as_bars:
            at = rng.choice(np.arange(0, grid.shape[1] - 1, 2), 3, replace=False)
            for column, size in zip(at, sizes, strict=True):
                grid[grid.shape[0] - size :, column] = own
        else:
            for size in sizes:
                if place(rng, grid, blob(rng, int(size)).astype(np.uint8) * np.uint8(own)) is None:
                    return None
        grid = np.rot90(grid, turn).copy()
        answer = grid.copy()
        found = sorted(things(grid), key=lambda thing: -thing.size)
        for thing, colour in zip(found, ranks, strict=True):
            answer[thing.mask] = colour
        return grid, answer

    return draw


def filled_rings(rng: Rng) -> Draw:
    """What is enclosed is filled: with one colour, or by how much it is."""
    wall, small, large = colours(rng, 3)
    by_size = rng.random() < 0.4

    def draw(rng: Rng) -> Drawn | None:
        grid = blank(rng, 7, 10)
        for _ in range(between(rng, 1, 4)):
            ring = rectangle(rng, 3, 5, hollow=True)
            if rng.random() < 0.3:  # an open one
                ring[0, 1] = False
            place(rng, grid, ring.astype(np.uint8) * np.uint8(wall), gap=0)
        for _ in range(between(rng, 0, 3)):
            place(rng, grid, np.full((1, 1), wall, np.uint8))
        inside = enclosed(grid)
        if not inside.any():
            return None
        answer = grid.copy()
        for hole in things(inside.astype(np.uint8)):
            answer[hole.mask] = large if by_size and hole.size > 1 else small
        return grid, answer

    return draw


def parts_of_rectangles(rng: Rng) -> Draw:
    """Corners, border, inside, every other line or cell of solid rectangles change colour."""
    part = pick(rng, ["corners", "border", "inside", "hollow", "checks", "rows", "columns"])
    own, other, mark = colours(rng, 3)
    palette = [own] if rng.random() < 0.6 else [own, other]

    def draw(rng: Rng) -> Drawn | None:
        question = with_things(rng, palette, low=1, high=3, shape=lambda rng: rectangle(rng, 3, 6))
        answer = question.copy()
        for thing in things(question):
            cells = answer[thing.box]
            cells[_part(part, cells)] = 0 if part == "hollow" else mark
        return question, answer

    return draw


def _part(part: str, cells: Grid) -> Mask:
    height, width = cells.shape
    row, column = np.indices(cells.shape)
    edge_row, edge_column = (row % (height - 1) == 0), (column % (width - 1) == 0)
    mask: Mask = {
        "corners": edge_row & edge_column,
        "border": edge_row | edge_column,
        "inside": ~(edge_row | edge_column),
        "hollow": ~(edge_row | edge_column),
        "checks": (row + column) % 2 == 1,
        "rows": row % 2 == 1,
        "columns": column % 2 == 1,
    }[part]
    return mask


def moved_things(rng: Rng) -> Draw:
    """Things slide one way to the edge or to a wall, or by a few cells; some leave a copy."""
    own, wall, other = colours(rng, 3)
    how = pick(rng, ["to the edge", "to the wall", "by one", "by two", "copied"])
    turn = between(rng, 0, 3)
    palette = [own] if rng.random() < 0.5 else [own, other]
    slides = how in {"to the edge", "to the wall"}

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 6, 10)
        floor = len(question)
        if how == "to the wall":
            floor -= 1
            question[floor] = wall
        answer = question.copy()
        is_free = np.ones(question.shape[1], bool)
        for _ in range(between(rng, 1, 3)):  # each in columns of its own, so that none collide
            shape = shape_of(rng).astype(np.uint8)[: len(question) - 4]
            shape = shape[shape.any(1)] * np.uint8(pick(rng, palette))
            height, width = shape.shape
            room = _free_columns(is_free, width)
            if not room:
                continue
            column = pick(rng, room)
            is_free[max(0, column - 1) : column + width + 1] = False
            by = {"by one": 1, "by two": 2, "copied": height}.get(how, 0)
            lowest = floor - height - by
            if lowest < 0:
                return None
            row = between(rng, 0, lowest)
            _lay(question, shape, row, column)
            if how == "copied":
                _lay(answer, shape, row, column)
            _lay(answer, shape, floor - height if slides else row + by, column)
        return np.rot90(question, turn).copy(), np.rot90(answer, turn).copy()

    return draw


def _free_columns(is_free: Mask, width: int) -> list[int]:
    """Where something so wide begins, with nothing beside it."""
    return [
        column
        for column in range(len(is_free) - width + 1)
        if is_free[max(0, column - 1) : column + width + 1].all()
    ]


def _lay(grid: Grid, shape: Grid, row: int, column: int) -> None:
    cells = grid[row : row + shape.shape[0], column : column + shape.shape[1]]
    cells[shape > 0] = shape[shape > 0]
