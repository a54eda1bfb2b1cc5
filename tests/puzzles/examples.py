"""One question and its answer for every puzzle of the registry, made by pattern."""

from collections.abc import Callable, Mapping

import numpy as np

from puzzles.arc import OUTSIDE
from puzzles.kind import Example, Grid, PuzzleKind
from puzzles.registry import KINDS

PUZZLES = [variant for sizes in KINDS.values() for variant in sizes]


def pattern_grid(box_height: int, box_width: int) -> Grid:
    """A solved Sudoku: each row is the one above shifted by a box's width, by one between bands."""
    size = box_height * box_width
    row, column = np.indices((size, size))
    shift = box_width * (row % box_height) + row // box_height
    return ((shift + column) % size + 1).astype(np.uint8)


def sudoku_example(sudoku: PuzzleKind) -> Example:
    """A pattern grid with about half of its cells emptied, the first one not."""
    assert sudoku.spec.box_height
    assert sudoku.spec.box_width
    answer = pattern_grid(sudoku.spec.box_height, sudoku.spec.box_width)
    given = np.random.default_rng(sudoku.spec.seq_len).random(answer.shape) < 0.5
    given[0, :2] = True, False
    return Example(np.where(given, answer, 0).astype(np.uint8), answer)


def arc_example(arc: PuzzleKind) -> Example:
    """A grid that needs this canvas and looks different from every side, and a part of it."""
    size = arc.spec.height
    rng = np.random.default_rng(size)
    question = np.full((size, size), OUTSIDE, np.uint8)
    question[: size - 1, : size - 3] = rng.integers(0, 10, (size - 1, size - 3))
    answer = np.full_like(question, OUTSIDE)
    answer[:4, :5] = question[:4, :5]
    return Example(question, answer)


# A new kind adds how its example is made.
EXAMPLES: Mapping[str, Callable[[PuzzleKind], Example]] = {
    "sudoku": sudoku_example,
    "arc": arc_example,
}


def example_of(puzzle: PuzzleKind) -> Example:
    """A question of `puzzle` with at least one given and one empty cell, and an answer to it."""
    return EXAMPLES[puzzle.spec.kind](puzzle)
