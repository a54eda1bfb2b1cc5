"""Rules whose answers have another size: enlarged, repeated, framed, counted."""

import numpy as np

from training.made.grids import (
    Draw,
    Drawn,
    Rng,
    between,
    blank,
    colours,
    noise,
    pick,
    place,
    scatter,
)


def enlarged(rng: Rng) -> Draw:
    """Every cell becomes a block, or every block a cell."""
    by, shrinks = between(rng, 2, 3), rng.random() < 0.4
    palette = colours(rng, between(rng, 1, 4))

    def draw(rng: Rng) -> Drawn | None:
        side = 10 // by
        small = noise(rng, between(rng, 1, side), between(rng, 2, side), palette, 0.7)
        large = np.kron(small, np.ones((by, by), np.uint8))
        return (large, small) if shrinks else (small, large)

    return draw


def tiled(rng: Rng) -> Draw:
    """The grid beside and below itself, each copy as it is or mirrored."""
    rows, columns = pick(rng, [(1, 2), (2, 1), (2, 2), (3, 3), (1, 3), (2, 3)])
    flips = rng.integers(0, 4, (rows, columns)) if rng.random() < 0.6 else np.zeros((rows, columns))
    palette = colours(rng, between(rng, 1, 4))

    def draw(rng: Rng) -> Drawn | None:
        question = noise(
            rng,
            between(rng, 2, min(5, 10 // rows)),
            between(rng, 2, min(5, 10 // columns)),
            palette,
            0.7,
        )
        images = (question, question[:, ::-1], question[::-1], question[::-1, ::-1])
        answer = np.block([[images[int(flip)] for flip in row] for row in flips])
        return question, answer.astype(np.uint8)

    return draw


def by_itself(rng: Rng) -> Draw:
    """Where a cell is coloured, or black, the grid stands in its place."""
    palette = colours(rng, between(rng, 1, 2))
    where_black = rng.random() < 0.3

    def draw(rng: Rng) -> Drawn | None:
        side = between(rng, 2, 3)
        question = noise(rng, side, side, palette, 0.5)
        chosen = (question == 0) if where_black else (question > 0)
        return question, np.kron(chosen.astype(np.uint8), question)

    return draw


def counted(rng: Rng) -> Draw:
    """How many cells, or squares, of a colour there are: a bar of a fixed or fitting length."""
    own, other, mark = colours(rng, 3)
    length = between(rng, 5, 9) if rng.random() < 0.5 else None
    wide = rng.random() < 0.3

    def draw(rng: Rng) -> Drawn | None:
        question = blank(rng, 3, 8)
        shape = np.ones((2, 2), np.uint8) if wide else np.ones((1, 1), np.uint8)
        count = sum(
            place(rng, question, shape * np.uint8(own)) is not None
            for _ in range(between(rng, 1, 5))
        )
        scatter(rng, question, [other], between(rng, 0, 4), apart=True)
        answer = np.zeros((1, length or max(1, count)), np.uint8)
        answer[0, :count] = mark
        return question, answer

    return draw


def told_colour(rng: Rng) -> Draw:
    """One cell, or a small grid of one colour: the commonest or the rarest."""
    palette = colours(rng, 5)
    how = pick(rng, ["commonest", "rarest"])
    height, width = pick(rng, [(1, 1), (1, 1), (2, 2), (3, 3)])

    def draw(rng: Rng) -> Drawn | None:
        used = [pick(rng, palette) for _ in range(3)]
        question = noise(rng, between(rng, 3, 8), between(rng, 3, 8), used, rng.uniform(0.3, 0.8))
        present, count = np.unique(question[question > 0], return_counts=True)
        best = count.max(initial=0) if how == "commonest" else count.min(initial=100)
        if (count == best).sum() != 1 or len(present) < 2:
            return None
        colour = present[np.flatnonzero(count == best)[0]]
        return question, np.full((height, width), colour, np.uint8)

    return draw


def added_frame(rng: Rng) -> Draw:
    """A border grows around the grid: of one colour, or its own edge once more."""
    palette = colours(rng, 4)
    mark, how = colours(rng, 1)[0], pick(rng, ["colour", "edge", "black", "doubled"])

    def draw(rng: Rng) -> Drawn | None:
        question = noise(rng, between(rng, 2, 5), between(rng, 2, 5), palette, 0.8)
        if how == "doubled":
            return question, np.concatenate([question, question[::-1]])
        if how == "edge":
            return question, np.pad(question, 1, mode="edge")
        return question, np.pad(question, 1, constant_values=mark if how == "colour" else 0)

    return draw


def palette_list(rng: Rng) -> Draw:
    """The colours of stripes or of things, in their order, or by how common they are."""
    palette = colours(rng, 6)
    stripes, upright = rng.random() < 0.5, rng.random() < 0.5

    def draw(rng: Rng) -> Drawn | None:
        order = [int(c) for c in rng.permutation(palette)[: between(rng, 2, 4)]]
        if stripes:
            widths = rng.integers(1, 4, len(order))
            row = np.repeat(np.array(order, np.uint8), widths)[:10]
            question = np.tile(row, (between(rng, 2, 8), 1))
            listed = [c for c in order if c in row]
        else:
            question = np.zeros((between(rng, 4, 8), between(rng, 4, 8)), np.uint8)
            cells = rng.permutation(question.size)
            counts = np.sort(rng.choice(np.arange(1, 7), len(order), replace=False))[::-1]
            listed = order
            for colour, count in zip(order, counts, strict=True):
                at, cells = cells[:count], cells[count:]
                question.flat[at] = colour
        answer = np.array([listed], np.uint8)
        if stripes:
            turned = (question.T, answer.T) if upright else (question, answer)
            return turned[0].copy(), turned[1].copy()
        return question, answer.T.copy() if upright else answer

    return draw
