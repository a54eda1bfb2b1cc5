"""Rules about the whole grid, which keeps its size: turned, moved, completed, recoloured."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from puzzles.kind import Grid
from training.made.grids import (
    Draw,
    Drawn,
    Rng,
    between,
    blank,
    colours,
    noise,
    pick,
    with_things,
)

TURNS: Mapping[str, Callable[[Grid], Grid]] = {
    "mirrored": lambda grid: grid[:, ::-1],
    "turned over": lambda grid: grid[::-1, ::-1],
    "turned": np.rot90,
    "transposed": lambda grid: grid.T,
}


def _picture(rng: Rng, palette: Sequence[int], *, square: bool = False) -> Grid:
    """Noise or things, so that a rule is shown on both."""
    if not square and rng.random() < 0.4:
        return with_things(rng, palette)
    height = between(rng, 3, 8)
    width = height if square else between(rng, 3, 8)
    return noise(rng, height, width, palette, rng.uniform(0.3, 0.9))


def turned(rng: Rng) -> Draw:
    """Mirrored or turned."""
    how = pick(rng, list(TURNS))
    palette = colours(rng, between(rng, 1, 5))

    def draw(rng: Rng) -> Drawn | None:
        question = _picture(rng, palette, square=rng.random() < 0.5)
        return question, TURNS[how](question).copy()

    return draw


def shifted(rng: Rng) -> Draw:
    """Moved by a few cells, what leaves comes back on the other side, or is gone."""
    palette = colours(rng, between(rng, 1, 4))
    by, axis, wraps = pick(rng, [-2, -1, 1, 2, 3]), between(rng, 0, 1), rng.random() < 0.6

    def draw(rng: Rng) -> Drawn | None:
        question = _picture(rng, palette)
        answer = np.roll(question, by, axis)
        if not wraps:
            gone = answer if axis == 0 else answer.T
            gone[slice(by) if by > 0 else slice(by, None)] = 0
        return question, answer

    return draw


def recoloured(rng: Rng) -> Draw:
    """Each colour becomes another: one of them, two exchanged, or all."""
    count = between(rng, 2, 6)
    palette = colours(rng, count)
    table = np.arange(10, dtype=np.uint8)
    kind = rng.random()
    if kind < 0.4:
        table[palette[0]] = pick(rng, [c for c in range(10) if c not in palette])
    elif kind < 0.7:
        table[palette[:2]] = palette[1::-1]
    else:
        table[palette] = np.roll(palette, 1)

    def draw(rng: Rng) -> Drawn | None:
        question = _picture(rng, palette)
        return question, table[question]

    return draw


def made_symmetric(rng: Rng) -> Draw:
    """One half is drawn, the other is its mirror image."""
    palette = colours(rng, between(rng, 1, 4))
    turn, both = between(rng, 0, 3), rng.random() < 0.3

    def draw(rng: Rng) -> Drawn | None:
        half = noise(rng, between(rng, 3, 9), between(rng, 2, 4), palette, 0.6)
        if both:
            half = half[: max(2, half.shape[0] // 2)]
        middle = rng.random() < 0.5  # a line in the middle, which is its own image
        answer = np.concatenate([half, half[:, ::-1][:, int(middle) :]], 1)
        question = np.concatenate([half, np.zeros_like(half)[:, int(middle) :]], 1)
        if both:
            answer = np.concatenate([answer, answer[::-1]])
            question = np.concatenate([question, np.zeros_like(question)])
        return np.rot90(question, turn).copy(), np.rot90(answer, turn).copy()

    return draw


def repaired(rng: Rng) -> Draw:
    """A part of a symmetric or repeating pattern is covered: it is drawn again."""
    *palette, cover = colours(rng, between(rng, 3, 6))
    repeats = rng.random() < 0.5

    def draw(rng: Rng) -> Drawn | None:
        if repeats:
            tile = noise(rng, between(rng, 1, 3), between(rng, 2, 4), palette, 1.0)
            answer = np.tile(tile, (10, 5))[: between(rng, 6, 10), : between(rng, 6, 10)]
        else:
            quarter = noise(rng, between(rng, 3, 5), between(rng, 3, 5), palette, 0.9)
            half = np.concatenate([quarter, quarter[:, ::-1]], 1)
            answer = np.concatenate([half, half[::-1]])
        question = answer.copy()
        for _ in range(between(rng, 1, 2) if repeats else 1):
            height, width = between(rng, 1, 3), between(rng, 1, 3)
            row = between(rng, 0, answer.shape[0] - height)
            column = between(rng, 0, answer.shape[1] - width)
            question[row : row + height, column : column + width] = cover
        return question, answer.copy()

    return draw


def fallen(rng: Rng) -> Draw:
    """Every cell falls to one edge, or is sorted along its line."""
    palette = colours(rng, between(rng, 1, 3))
    turn, is_sorted = between(rng, 0, 3), rng.random() < 0.2

    def draw(rng: Rng) -> Drawn | None:
        question = noise(rng, between(rng, 4, 9), between(rng, 3, 9), palette, 0.35)
        answer = np.zeros_like(question)
        for column in range(question.shape[1]):
            cells = question[:, column][question[:, column] > 0]
            if len(cells):
                answer[-len(cells) :, column] = np.sort(cells) if is_sorted else cells
        return np.rot90(question, turn).copy(), np.rot90(answer, turn).copy()

    return draw


def framed(rng: Rng) -> Draw:
    """The edge, every other line or a checkerboard of the black cells is coloured."""
    one, mark = colours(rng, 2)
    how = pick(rng, ["edge", "rows", "checks", "corners", "diagonal", "background"])

    def draw(rng: Rng) -> Drawn | None:
        question = with_things(rng, [one], low=1, high=3)
        if rng.random() < 0.2:
            question = blank(rng, 3, 10)
        height, width = question.shape
        row, column = np.indices(question.shape)
        where = {
            "edge": (row == 0) | (column == 0) | (row == height - 1) | (column == width - 1),
            "rows": row % 2 == 1,
            "checks": (row + column) % 2 == 1,
            "corners": ((row == 0) | (row == height - 1)) & ((column == 0) | (column == width - 1)),
            "diagonal": row == column,
            "background": np.ones_like(question, bool),
        }[how]
        return question, np.where(where & (question == 0), mark, question).astype(np.uint8)

    return draw


def extended(rng: Rng) -> Draw:
    """A sequence of stripes, or nested squares, that begins in a corner goes on to the end."""
    palette = colours(rng, between(rng, 2, 4))
    diagonal, turn = rng.random() < 0.4, between(rng, 0, 3)

    def draw(rng: Rng) -> Drawn | None:
        order = [pick(rng, palette) for _ in range(between(rng, 2, 4))]
        if len(set(order)) == 1:
            return None
        height, width = between(rng, 5, 10), between(rng, 6, 10)
        row, column = np.indices((height, width))
        place = row + column if diagonal else column
        answer = np.array(order, np.uint8)[place % len(order)]
        shown = len(order) + between(rng, 0, 1)
        if shown >= width:
            return None
        question = np.where(place < shown, answer, 0).astype(np.uint8)
        return np.rot90(question, turn).copy(), np.rot90(answer, turn).copy()

    return draw


def commonest(rng: Rng) -> Draw:
    """All becomes the commonest colour, or only that stays, or the rarest goes."""
    palette = colours(rng, 4)
    how = pick(rng, ["all", "kept", "rarest gone", "commonest gone"])

    def draw(rng: Rng) -> Drawn | None:
        question = noise(rng, between(rng, 3, 7), between(rng, 3, 7), palette, 1.0)
        used, count = np.unique(question, return_counts=True)
        most, least = count.max(), count.min()
        if (count == most).sum() > 1 or (count == least).sum() > 1 or len(used) < 2:
            return None
        first, last = used[count.argmax()], used[count.argmin()]
        answer = {
            "all": np.full_like(question, first),
            "kept": np.where(question == first, question, 0),
            "rarest gone": np.where(question == last, 0, question),
            "commonest gone": np.where(question == first, 0, question),
        }[how]
        return question, answer.astype(np.uint8)

    return draw


def mirrored_things(rng: Rng) -> Draw:
    """Next to a wall, what lies on one side of it is mirrored, or copied, to the other."""
    own, wall, other = colours(rng, 3)
    turn, copied = between(rng, 0, 3), rng.random() < 0.3
    palette = [own] if rng.random() < 0.5 else [own, other]

    def draw(rng: Rng) -> Drawn | None:
        half = noise(rng, between(rng, 3, 9), between(rng, 2, 4), palette, 0.35)
        line = np.full((len(half), 1), wall, np.uint8)
        image = half if copied else half[:, ::-1]
        question = np.concatenate([half, line, np.zeros_like(half)], 1)
        answer = np.concatenate([half, line, image], 1)
        return np.rot90(question, turn).copy(), np.rot90(answer, turn).copy()

    return draw
