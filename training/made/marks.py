"""Rules about cells: what is drawn from them, around them and between them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from training.made.grids import (
    AROUND,
    BESIDE,
    TRIES,
    Draw,
    Drawn,
    Rng,
    along,
    between,
    blank,
    colours,
    flooded,
    is_on,
    pick,
    place,
    rectangle,
    scatter,
    things,
)

DIAGONAL = tuple(step for step in AROUND if step not in BESIDE)
STAMPS: Mapping[str, Sequence[tuple[int, int]]] = {
    "plus": BESIDE,
    "cross": DIAGONAL,
    "ring": AROUND,
    "above": ((-1, 0),),
    "beside": ((0, -1), (0, 1)),
    "knight": ((-2, -2), (-2, 2), (2, -2), (2, 2)),
    "far": ((-2, 0), (2, 0), (0, -2), (0, 2)),
    "hook": ((0, 1), (1, 0)),
}
RAYS: Mapping[str, Sequence[tuple[int, int]]] = {
    "down": ((1, 0),),
    "up": ((-1, 0),),
    "row": ((0, -1), (0, 1)),
    "column": ((-1, 0), (1, 0)),
    "row and column": BESIDE,
    "diagonals": DIAGONAL,
    "diagonal": ((1, 1),),
    "falling diagonal": ((1, 1), (-1, -1)),
}


def stamped(rng: Rng) -> Draw:
    """Around each cell of a colour a pattern is drawn; other colours have another, or none."""
    one, two, mark, other_mark = colours(rng, 4)
    names = list(rng.permutation(list(STAMPS)))
    seeds: dict[int, tuple[str, int]] = {one: (names[0], mark)}
    kind = rng.random()
    if kind < 0.3:
        seeds[two] = (names[1], other_mark)
    elif kind < 0.5:
        seeds[one] = (names[0], one)  # in its own colour

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 6, 10)
        scatter(rng, question, [one, two], between(rng, 1, 5), apart=True)
        answer = question.copy()
        for row, column in np.argwhere(question > 0):
            stamp, colour = seeds.get(int(question[row, column]), ("", 0))
            for down, right in STAMPS.get(stamp, ()):
                at = row + down, column + right
                if is_on(answer, *at) and not question[at]:
                    answer[at] = colour
        return question, answer

    return draw


def rays(rng: Rng) -> Draw:
    """From each cell of a colour lines run to the edge, or up to what stands in their way."""
    one, two, mark, wall = colours(rng, 4)
    names = list(rng.permutation(list(RAYS)))
    own_colour = rng.random() < 0.6
    stops = rng.random() < 0.4
    seeds = {one: names[0]}
    if rng.random() < 0.4:
        seeds[two] = names[1]

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 5, 10)
        if stops:
            scatter(rng, question, [wall], between(rng, 2, 6), apart=False)
        scatter(rng, question, list(seeds), between(rng, 1, 3), apart=True)
        answer = question.copy()
        for colour, name in seeds.items():  # the second's lines lie over the first's
            for row, column in np.argwhere(question == colour):
                for step in RAYS[name]:
                    for at in along(question, row, column, step):
                        if stops and question[at]:
                            break
                        if not question[at]:
                            answer[at] = colour if own_colour else mark
        return question, answer

    return draw


def connected(rng: Rng) -> Draw:
    """Two cells of a colour in one row or column are joined by a line."""
    one, two, mark = colours(rng, 3)
    own_colour = rng.random() < 0.5
    ways = pick(rng, [(0,), (0, 1)])
    palette = [one] if rng.random() < 0.5 else [one, two]

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 6, 10)
        height, width = question.shape
        for row in rng.choice(height, between(rng, 1, 3), replace=False):
            left, right = np.sort(rng.choice(width, 2, replace=False))
            question[row, [left, right]] = pick(rng, palette)
        scatter(rng, question, palette, between(rng, 0, 3), apart=False)
        answer = question.copy()
        for axis in ways:
            lines, drawn = (question, answer) if axis == 0 else (question.T, answer.T)
            for line, out in zip(lines, drawn, strict=True):
                at = np.flatnonzero(line)
                for left, right in pairwise(at):
                    if line[left] == line[right]:
                        gap = out[left + 1 : right]
                        gap[gap == 0] = line[left] if own_colour else mark
        return question, answer

    return draw


def presence(rng: Rng) -> Draw:
    """Rows, or columns, that hold a cell of a colour are filled, or those that hold none."""
    one, mark = colours(rng, 2)
    axis, empty = between(rng, 0, 1), rng.random() < 0.3
    both = rng.random() < 0.25

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 5, 10)
        scatter(rng, question, [one], between(rng, 1, 4), apart=False)
        holds = [(question > 0).any(1 - i, keepdims=True) != empty for i in range(2)]
        filled = holds[0] | holds[1] if both else holds[axis]
        answer = np.where((question == 0) & filled, mark, question).astype(np.uint8)
        return question, answer

    return draw


def flooding(rng: Rng) -> Draw:
    """What is reached from a cell without crossing walls gets its colour, or what is not."""
    wall, seed = colours(rng, 2)
    unreached = rng.random() < 0.25

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 6, 10)
        height, width = question.shape
        question[between(rng, 1, height - 2)] = wall
        if rng.random() < 0.6:
            question[:, between(rng, 1, width - 2)] = wall
        if rng.random() < 0.4:
            question[between(rng, 0, height - 1), between(rng, 0, width - 1)] = 0
        free = np.argwhere(question == 0)
        row, column = free[between(rng, 0, len(free) - 1)]
        question[row, column] = seed
        reached = flooded(question != wall, row, column)
        chosen = ~reached & (question == 0) if unreached else reached
        return question, np.where(chosen, seed, question).astype(np.uint8)

    return draw


def from_corners(rng: Rng) -> Draw:
    """Four cells are the corners of a rectangle: it is filled, or drawn."""
    corner, mark = colours(rng, 2)
    hollow = rng.random() < 0.5
    whole = rng.random() < 0.3

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 6, 10)
        answer = question.copy()
        for _ in range(between(rng, 1, 2)):
            shape = rectangle(rng, 3, 6).astype(np.uint8)
            seen = np.zeros_like(shape)
            seen[:: shape.shape[0] - 1, :: shape.shape[1] - 1] = 1
            full = shape.copy()
            if hollow:
                full[1:-1, 1:-1] = 0
            # Placed as a whole, so that no two lie over each other.
            at = place(rng, answer, shape * np.uint8(corner))
            if at is None:
                continue
            rows = slice(at[0], at[0] + shape.shape[0])
            columns = slice(at[1], at[1] + shape.shape[1])
            question[rows, columns] = seen * corner
            drawn = np.where(full > 0, mark, 0)
            answer[rows, columns] = drawn if whole else np.where(seen > 0, corner, drawn)
        return question, answer

    return draw


def legend(rng: Rng) -> Draw:
    """A cell in a corner tells the colour that everything else gets."""
    own, *marks = colours(rng, 5)
    corner = pick(rng, [(0, 0), (0, -1), (-1, 0), (-1, -1)])
    stays = rng.random() < 0.6

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 6, 10)
        question[corner] = pick(rng, marks)
        for _ in range(between(rng, 1, 3)):
            place(rng, question, rectangle(rng, 1, 4).astype(np.uint8) * np.uint8(own))
        answer = np.where(question == own, question[corner], question).astype(np.uint8)
        if not stays:
            answer[corner] = 0
        return question, answer

    return draw


def lone_cells(rng: Rng) -> Draw:
    """Noise around things is removed, or marked: cells that touch nothing of their colour."""
    own, other, mark = colours(rng, 3)
    removed = rng.random() < 0.6
    speck = own if rng.random() < 0.5 else other

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 7, 10)
        for _ in range(between(rng, 1, 3)):
            place(rng, question, rectangle(rng, 2, 5).astype(np.uint8) * np.uint8(own))
        scatter(rng, question, [speck], between(rng, 2, 6), apart=True)
        answer = question.copy()
        for thing in things(question):
            if thing.size == 1:
                answer[thing.mask] = 0 if removed else mark
        return question, answer

    return draw


def counted_marks(rng: Rng) -> Draw:
    """As many cells at the edge as there are things of a colour."""
    own, other, mark = colours(rng, 3)

    def draw(rng: Rng) -> Drawn | None:
        for _ in range(TRIES):
            question = blank(rng, 6, 10)
            question[-1] = 0
            inside = question[:-2]
            scatter(rng, inside, [own, own, other], between(rng, 1, 7), apart=True)
            count = int((inside == own).sum())
            if 0 < count <= question.shape[1]:
                answer = question.copy()
                answer[-1, :count] = mark
                return question, answer
        return None

    return draw
