"""Rules whose answers are a part of their questions, or parts laid over each other."""

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from puzzles.kind import Grid
from training.made.grids import (
    Draw,
    Drawn,
    Mask,
    Rng,
    between,
    blank,
    box_of,
    colours,
    noise,
    pick,
    place,
    rectangle,
    scatter,
    with_things,
)

LOGIC: Mapping[str, Callable[[Mask, Mask], Mask]] = {
    "both": lambda a, b: a & b,
    "either": lambda a, b: a | b,
    "one of them": lambda a, b: a ^ b,
    "neither": lambda a, b: ~(a | b),
    "first alone": lambda a, b: a & ~b,
    "the same": lambda a, b: a == b,
}


def laid_over(rng: Rng) -> Draw:
    """Two parts, with or without a line between them, are laid over each other and compared."""
    how = pick(rng, list(LOGIC))
    one, two, wall, mark = colours(rng, 4)
    if rng.random() < 0.4:
        two = one
    has_wall, turn = rng.random() < 0.6, pick(rng, [0, 1])

    def draw(rng: Rng) -> Drawn | None:
        height, width = between(rng, 2, 6), between(rng, 2, 4)
        parts = [rng.random((height, width)) < 0.5 for _ in range(2)]
        answer = np.where(LOGIC[how](*parts), mark, 0).astype(np.uint8)
        drawn = [
            part.astype(np.uint8) * np.uint8(c) for part, c in zip(parts, (one, two), strict=True)
        ]
        if has_wall:
            drawn.insert(1, np.full((height, 1), wall, np.uint8))
        question = np.concatenate(drawn, 1)
        return np.rot90(question, turn).copy(), np.rot90(answer, turn).copy()

    return draw


def stacked(rng: Rng) -> Draw:
    """Two parts with colours of their own are laid over each other, one of them on top."""
    one, two, wall = colours(rng, 3)
    first_on_top, has_wall, turn = rng.random() < 0.5, rng.random() < 0.5, pick(rng, [0, 1])

    def draw(rng: Rng) -> Drawn | None:
        height, width = between(rng, 2, 6), between(rng, 2, 4)
        a, b = (noise(rng, height, width, [c], 0.5) for c in (one, two))
        answer = np.where(a > 0, a, b) if first_on_top else np.where(b > 0, b, a)
        line = [np.full((height, 1), wall, np.uint8)] if has_wall else []
        question = np.concatenate([a, *line, b], 1)
        return np.rot90(question, turn).copy(), np.rot90(answer, turn).copy()

    return draw


def cropped(rng: Rng) -> Draw:
    """What is drawn is cut out: all of it, a framed part, what its frame holds; no border."""
    own, other, mark = colours(rng, 3)
    how = pick(rng, ["all", "box of a colour", "in the frame", "frame too", "border off"])

    def draw(rng: Rng) -> Drawn | None:
        inner = noise(rng, between(rng, 2, 4), between(rng, 2, 4), [own, other], 0.7)
        grid = blank(rng, 7, 10)
        if how == "all":
            if place(rng, grid, np.where(inner == 0, own, inner)) is None:
                return None
            return grid, box_of(grid).copy()
        if how == "border off":
            question = np.pad(inner, 1, constant_values=mark)
            return question, inner
        framed = np.pad(inner, 1, constant_values=mark)
        at = place(rng, grid, framed)
        if at is None:
            return None
        if how == "box of a colour":
            scatter(rng, grid, [own, other], between(rng, 1, 4), apart=True)
            return grid, framed
        scatter(rng, grid, [own], between(rng, 0, 4), apart=True)
        return grid, framed if how == "frame too" else inner

    return draw


def condensed(rng: Rng) -> Draw:
    """Repeated rows and columns are told once, or those that are empty go."""
    palette = colours(rng, between(rng, 2, 4))
    empties = rng.random() < 0.5

    def draw(rng: Rng) -> Drawn | None:
        answer = noise(rng, between(rng, 2, 4), between(rng, 2, 4), palette, 0.9)
        rows, columns = answer.any(1), answer.any(0)
        if empties:
            if not (rows.all() and columns.all()):
                return None
            question = np.zeros((between(rng, 5, 9), between(rng, 5, 9)), np.uint8)
            at = [
                np.sort(rng.choice(question.shape[axis], answer.shape[axis], replace=False))
                for axis in range(2)
            ]
            question[np.ix_(*at)] = answer
            return question, answer
        for axis in range(2):
            lines = answer if axis == 0 else answer.T
            if any((a == b).all() for a, b in pairwise(lines)):
                return None
        question = answer
        for axis in range(2):
            times = rng.integers(1, 4, question.shape[axis])
            question = np.repeat(question, times, axis)
        return (question, answer) if max(question.shape) <= 10 else None

    return draw


def chosen_part(rng: Rng) -> Draw:
    """Of parts in a row, with lines between them, one is the answer: the fullest, the odd one …"""
    how = pick(rng, ["fullest", "emptiest", "odd one", "symmetric", "first", "last"])
    *palette, wall = colours(rng, 3)
    has_wall, turn = rng.random() < 0.7, pick(rng, [0, 1])

    def draw(rng: Rng) -> Drawn | None:
        count = 3 if how == "odd one" else between(rng, 2, 3)
        height, width = between(rng, 2, 5), 3 if count == 2 else between(rng, 2, 2 + (not has_wall))
        usual = noise(rng, height, width, palette, 0.6)
        parts = [noise(rng, height, width, palette, rng.uniform(0.2, 0.9)) for _ in range(count)]
        if how == "odd one":
            odd = between(rng, 0, 2)
            parts = [parts[i] if i == odd else usual for i in range(3)]
            if (parts[odd] == usual).all():
                return None
        worth: Callable[[Grid], int] = {
            "fullest": lambda part: int((part > 0).sum()),
            "emptiest": lambda part: -int((part > 0).sum()),
            "odd one": lambda part: int(not (part == usual).all()),
            "symmetric": lambda part: int((part == part[:, ::-1]).all()),
            "first": lambda part: int(part is parts[0]),
            "last": lambda part: int(part is parts[-1]),
        }[how]
        worths = [worth(part) for part in parts]
        if worths.count(max(worths)) != 1:
            return None
        answer = parts[worths.index(max(worths))]
        line = [np.full((height, 1), wall, np.uint8)] if has_wall else []
        joined = [piece for part in parts for piece in (*line, part)][len(line) :]
        question = np.concatenate(joined, 1)
        return np.rot90(question, turn).copy(), np.rot90(answer, turn).copy()

    return draw


def uncovered(rng: Rng) -> Draw:
    """What a block covers of a symmetric pattern is the answer."""
    *palette, cover = colours(rng, between(rng, 3, 6))

    def draw(rng: Rng) -> Drawn | None:
        quarter = noise(rng, between(rng, 3, 5), between(rng, 3, 5), palette, 0.9)
        half = np.concatenate([quarter, quarter[:, ::-1]], 1)
        whole = np.concatenate([half, half[::-1]])
        shape = rectangle(rng, 2, 3).shape
        row = between(rng, 0, whole.shape[0] - shape[0])
        column = between(rng, 0, quarter.shape[1] - shape[1])  # its image is not covered
        part = whole[row : row + shape[0], column : column + shape[1]].copy()
        whole[row : row + shape[0], column : column + shape[1]] = cover
        return whole, part

    return draw


def half_of(rng: Rng) -> Draw:
    """A half, a third or a quarter of the grid."""
    rows, columns = pick(rng, [(1, 2), (2, 1), (2, 2), (3, 1), (1, 3)])
    at = pick(rng, [(0, 0), (rows - 1, columns - 1)])
    palette = colours(rng, between(rng, 2, 4))
    of_things = rng.random() < 0.3

    def draw(rng: Rng) -> Drawn | None:
        height, width = between(rng, 2, 10 // rows), between(rng, 2, 10 // columns)
        question = noise(rng, height * rows, width * columns, palette, 0.8)
        if of_things:
            question = with_things(rng, palette)
            height, width = question.shape[0] // rows, question.shape[1] // columns
            question = question[: height * rows, : width * columns]
        top, left = at[0] * height, at[1] * width
        return question, question[top : top + height, left : left + width].copy()

    return draw
