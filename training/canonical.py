"""Which Sudokus are the same one, by any symmetry: exact up to 9×9, compiled by numba.

A question with one solution is equivalent to another exactly when a symmetry takes both its
solution and its givens to the other's. Of a full grid every image is known once its first row and
the order of its columns are: the symbols are named by the first row, and the first column orders
the other rows. So the least image of (solution, givens) is found by trying those, 23,328 at 9×9.
"""

from functools import cache
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from puzzles.sudoku import Sudoku
from training.sudoku_kernels import compiled

LARGEST = 9  # symbols; at 16×16 there are 2 · 10⁸ images to try

Cells = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


def canonical_forms(questions: Cells, answers: Cells, sudoku: Sudoku) -> Cells:
    """The least image of each puzzle: its full grid, symbols from 0, then which cells are given.

    questions, answers: (N, S) uint8, up to 9×9 -> (N, 2, S) uint8. Two puzzles whose answers are
    the only ones are equivalent exactly when their forms are equal; their solved grids are, exactly
    when the first halves are. One core does some thousand 9×9 puzzles per second.
    """
    assert sudoku.size <= LARGEST
    size = sudoku.size
    forms = np.empty((len(questions), 2, size, size), np.uint8)
    orders = _column_orders(sudoku.box_height, sudoku.box_width)
    square = sudoku.box_height == sudoku.box_width
    grids = answers.reshape(-1, size, size) - np.uint8(1)
    givens = (questions > 0).astype(np.uint8).reshape(grids.shape)
    _least_images(grids, givens, orders, sudoku.box_height, square, forms)
    return forms.reshape(len(questions), 2, -1)


def grid_invariants(answers: Cells, sudoku: Sudoku) -> npt.NDArray[np.uint64]:
    """What no symmetry changes of full grids of any size: (N, S) uint8 -> (N,) uint64.

    From row to row, and from column to column, symbols are permuted; told are the lengths of the
    cycles of all these permutations. Equivalent grids always agree; others may, if rarely.
    """
    grids = answers.reshape(-1, sudoku.size, sudoku.size) - np.uint8(1)
    rows, columns = np.empty((2, len(grids)), np.uint64)
    _cycle_sums(grids, sudoku.box_height, rows)
    _cycle_sums(np.ascontiguousarray(grids.transpose(0, 2, 1)), sudoku.box_width, columns)
    if sudoku.box_height == sudoku.box_width:  # rows and columns may change places
        return np.minimum(rows, columns) * np.uint64(3) + np.maximum(rows, columns)
    return rows * np.uint64(3) + columns


@cache
def _column_orders(box_height: int, box_width: int) -> Ints:
    """Every order that keeps stacks together, (K, N)."""
    stacks = np.arange(box_height * box_width).reshape(box_height, box_width).tolist()
    orders = [
        np.concatenate(inside)
        for outside in permutations(stacks)
        for inside in product(*(permutations(stack) for stack in outside))
    ]
    return np.array(orders, np.int64)


@compiled
def _least_images(
    grids: Cells, givens: Cells, orders: Ints, box_height: int, square: bool, forms: Cells
) -> None:
    """grids, givens: (N, R, C) -> forms (N, 2, R, C)."""
    for n in range(len(grids)):
        forms[n] = 255
        _least_image(grids[n], givens[n], orders, box_height, forms[n])
        if square:
            grid, given = grids[n].T.copy(), givens[n].T.copy()
            _least_image(grid, given, orders, box_height, forms[n])


@compiled
def _least_image(grid: Cells, givens: Cells, orders: Ints, box_height: int, form: Cells) -> None:
    """Lower `form` to the least image of a grid that is not transposed."""
    size = grid.shape[0]
    names = np.empty(size, np.uint8)  # of the symbols, by the first row
    row_of = np.empty(size, np.int64)  # by the name in the first column
    rows = np.empty(size, np.int64)
    for first in range(size):
        band = first - first % box_height
        for order in orders:
            for column in range(size):
                names[grid[first, order[column]]] = column
            second = -1
            for row in range(band, band + box_height):
                if row != first and (
                    second < 0 or names[grid[row, order[0]]] < names[grid[second, order[0]]]
                ):
                    second = row
            if _compared(grid[second], order, names, form[0, 1]) > 0:
                continue
            _order_rows(grid[:, order[0]], names, box_height, row_of, rows)
            if _is_less(grid, givens, order, names, rows, form):
                for row in range(size):
                    for column in range(size):
                        cell = rows[row], order[column]
                        form[0, row, column] = names[grid[cell]]
                        form[1, row, column] = givens[cell]


@compiled
def _compared(row: Cells, order: Ints, names: Cells, other: Cells) -> int:
    """−1, 0 or 1 as the renamed row is less than, equal to or more than the other."""
    for column in range(order.size):
        name = names[row[order[column]]]
        if name != other[column]:
            return -1 if name < other[column] else 1
    return 0


@compiled
def _order_rows(column: Cells, names: Cells, box_height: int, row_of: Ints, rows: Ints) -> None:
    """Order `rows` by their names in the first column, bands by the least of them."""
    size = column.size
    for row in range(size):
        row_of[names[column[row]]] = row
    listed = 0
    taken = 0  # bands, by bit
    for least in range(size):
        band = row_of[least] // box_height
        if taken >> band & 1:
            continue
        taken |= 1 << band
        for name in range(least, size):
            if row_of[name] // box_height == band:
                rows[listed] = row_of[name]
                listed += 1


@compiled
def _is_less(
    grid: Cells, givens: Cells, order: Ints, names: Cells, rows: Ints, form: Cells
) -> bool:
    for row in range(1, rows.size):
        difference = _compared(grid[rows[row]], order, names, form[0, row])
        if difference != 0:
            return difference < 0
    for row in range(rows.size):
        for column in range(rows.size):
            given = givens[rows[row], order[column]]
            if given != form[1, row, column]:
                return bool(given < form[1, row, column])
    return False


@compiled
def _cycle_sums(grids: Cells, box_height: int, sums: npt.NDArray[np.uint64]) -> None:
    """Of the cycles between any two rows of each grid; rows of one band count apart from others."""
    size = grids.shape[1]
    follows = np.empty(size, np.int64)
    for n in range(len(grids)):
        total = np.uint64(0)
        for one in range(size):
            for other in range(one + 1, size):
                for column in range(size):
                    follows[grids[n, one, column]] = grids[n, other, column]
                same_band = one // box_height == other // box_height
                total += _scattered(_cycle_sum(follows) + np.uint64(same_band))
        sums[n] = _scattered(total)


@compiled
def _cycle_sum(follows: Ints) -> np.uint64:
    """A number told by the lengths of a permutation's cycles alone; forgets the permutation."""
    total = np.uint64(0)
    for start in range(follows.size):
        at, length = start, 0
        while follows[at] >= 0:
            follows[at], at = -1, follows[at]
            length += 1
        if length:
            total += _scattered(np.uint64(length))
    return total


@compiled
def _scattered(word: np.uint64) -> np.uint64:
    """Source: splitmix64's finaliser."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
