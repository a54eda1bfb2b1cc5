"""Fingerprints of Sudoku questions that every symmetry of the puzzle leaves as they are.

Colour refinement (Weisfeiler and Leman) on cells, rows, columns, boxes and symbols: a thing's
colour is told by the colours of what it touches, round by round, never by its place. So equivalent
questions always have the same fingerprint. Others may share one only where refinement cannot tell
them apart, which needs a regular pattern of givens, as in an empty or a full grid; whoever refuses
equals refuses too much there, never too little.
"""

import numpy as np
import numpy.typing as npt

from puzzles.sudoku import Sudoku

ROUNDS = 8  # colours of minimal puzzles stand after five
AT_ONCE = 4096  # questions, so that intermediate arrays stay in the cache

Words = npt.NDArray[np.uint64]
# What tells the kinds of things apart, and the ways in which one touches another: odd numbers of
# no meaning.
EMPTY, GIVEN, SYMBOL, ROW, COLUMN, BOX, OF_LINES, OF_BOX, OF_SYMBOL, LAST = np.arange(
    1, 11, dtype=np.uint64
) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)


def fingerprints(questions: npt.NDArray[np.uint8], sudoku: Sudoku) -> Words:
    """questions: (N, S) uint8, 0 = empty -> (N, 2) uint64."""
    parts = [
        _refined(questions[start : start + AT_ONCE], sudoku)
        for start in range(0, len(questions), AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 2), np.uint64)


def _refined(questions: npt.NDArray[np.uint8], sudoku: Sudoku) -> Words:
    spec, size = sudoku.spec, sudoku.size
    height, width = spec.box_height, spec.box_width
    assert height is not None
    assert width is not None
    grids = questions.reshape(-1, size, size)
    boxes = (-1, size // height, height, size // width, width)
    # Only a square box lets rows and columns change places.
    column_kind = ROW if height == width else COLUMN
    cells = np.where(grids > 0, GIVEN, EMPTY)
    for _ in range(ROUNDS):
        mixed = _mix(cells)
        rows = _mix(mixed.sum(2, keepdims=True) + ROW)
        columns = _mix(mixed.sum(1, keepdims=True) + column_kind)
        of_boxes = _mix(mixed.reshape(boxes).sum((2, 4), keepdims=True) + BOX)
        box = np.broadcast_to(of_boxes, mixed.reshape(boxes).shape).reshape(mixed.shape)
        cells = _mix(
            mixed
            + _mix(rows + columns + OF_LINES)
            + _mix(box + OF_BOX)
            + _mix(_symbol_colors(grids, mixed, size) + OF_SYMBOL)
        )
    flat = cells.reshape(len(grids), -1)
    return np.stack((_mix(flat).sum(1), _mix(flat ^ LAST).sum(1)), 1)


def _symbol_colors(grids: npt.NDArray[np.uint8], mixed: Words, size: int) -> Words:
    """Each given cell's symbol's colour, 0 for empty cells."""
    colors = np.zeros_like(mixed)
    for symbol in range(1, size + 1):
        here = grids == symbol
        color = _mix((mixed * here).sum((1, 2), keepdims=True) + SYMBOL)
        colors += color * here
    return colors


def _mix(words: Words) -> Words:
    """A bijection that scatters bits. Source: splitmix64's finaliser."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = words ^ (words >> np.uint64(31))
    return mixed
