"""The classical Sudoku search behind puzzle generation, and nothing else; numba, without the GIL.

A grid under search is one candidate mask per cell, (S,) int32, bit d − 1 for symbol d. `propagate`
places naked and hidden singles; `search` guesses at the cell with the fewest candidates.
"""

from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

import numba
import numpy as np
import numpy.typing as npt

Cells = npt.NDArray[np.uint8]  # (S,) symbols, 0 = empty
Ints = npt.NDArray[np.int32]
Int = int | np.int64
RngState = npt.NDArray[np.uint64]  # (1,), advanced in place by every draw

NO_SOLUTION, FOUND, GAVE_UP = 0, 1, 2
NOTHING, ONE, NOWHERE = map(np.int64, (0, 1, -1))  # plain ones have numba compile for each

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile at the first call, keep the result on disk, release the GIL while running."""
    dispatcher: Callable[_P, _R] = numba.njit(nogil=True, cache=True)(function)
    return dispatcher


class Board(NamedTuple):
    """Which cells see each other, for one size; `full` is the mask of all symbols."""

    units: Ints  # (3N, N) cells of each row, column and box
    units_of: Ints  # (S, 3) units of each cell
    peers: Ints  # (S, P) cells that share a unit with each cell
    full: int


class Workspace(NamedTuple):
    """Memory of one search, reused by the next."""

    stack: Ints  # (S + 1, S) candidate masks, one level per open guess
    guessed: Ints  # (S + 1,) cell guessed at each level
    queue: Ints  # (S,) cells with one candidate that their peers do not know of yet


@compiled
def below(rng: RngState, limit: int) -> int:
    """Uniform integer in 0..limit − 1.  Source: SplitMix64 (Steele, Lea, Flood 2014)."""
    rng[0] += np.uint64(0x9E3779B97F4A7C15)
    z = rng[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.int64(((z >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))  # type: ignore[return-value]


@compiled
def _copy(cells: Ints | Cells, to: Ints | Cells) -> None:
    """As `to[:] = cells`, for which numba compiles seconds of code that is never run."""
    for i in range(cells.size):
        to[i] = cells[i]


@compiled
def _tell_peers(masks: Ints, queue: Ints, waiting: Int, board: Board) -> bool:
    """Strike the symbols of the waiting cells, and of all cells this places, from their peers."""
    while waiting > 0:
        waiting -= 1
        bit = masks[queue[waiting]]
        for peer in board.peers[queue[waiting]]:
            left = masks[peer] & ~bit
            if left == masks[peer]:
                continue
            if left == 0:
                return False
            masks[peer] = left
            if left & (left - 1) == 0:
                queue[waiting] = peer
                waiting += 1
    return True


@compiled
def _hidden_singles(masks: Ints, unit: Ints, full: int) -> int:
    """Symbols that one open cell of the unit alone can take, as a mask; −1 if one has no place."""
    once, twice, placed = 0, 0, 0
    for cell in unit:
        mask = masks[cell]
        twice |= once & mask
        once |= mask
        if mask & (mask - 1) == 0:
            placed |= mask
    return once & ~twice & ~placed if once == full else -1


@compiled
def _propagate(masks: Ints, queue: Ints, waiting: Int, board: Board) -> bool:
    """Place every naked and hidden single; False when a cell or a unit has nothing left."""
    while _tell_peers(masks, queue, waiting, board):
        waiting = 0
        for unit in board.units:
            hidden = _hidden_singles(masks, unit, board.full)
            if hidden < 0:
                return False
            if hidden == 0:
                continue
            for cell in unit:
                bit = masks[cell] & hidden
                if bit:
                    masks[cell] = bit & -bit
                    queue[waiting] = cell
                    waiting += 1
        if waiting == 0:
            return True
    return False


@compiled
def _bits(mask: int) -> int:
    """Number of set bits."""
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@compiled
def _most_constrained(masks: Ints, rng: RngState) -> int:
    """The cell with the fewest candidates above one, ties at random; −1 when all are placed."""
    cells = masks.size
    best, fewest = -1, 99
    cell = below(rng, cells)
    for _ in range(cells):
        cell = cell + 1 if cell + 1 < cells else 0
        mask = masks[cell]
        if mask & (mask - 1):
            count = _bits(mask)
            if count < fewest:
                best, fewest = cell, count
                if count == 2:
                    break
    return best


@compiled
def _random_bit(mask: int, rng: RngState) -> int:
    """One of the set bits, as a mask."""
    for _ in range(below(rng, _bits(mask))):
        mask &= mask - 1
    return mask & -mask


@compiled
def search(
    waiting: Int, work: Workspace, board: Board, rng: RngState, budget: int
) -> tuple[int, int, int]:
    """Search a solution below `work.stack[0]`, whose first `waiting` queue cells are news.

    Returns: (NO_SOLUTION | FOUND | GAVE_UP after `budget` guesses, guesses made, level of the
    stack that holds the solution).
    """
    stack, guessed, queue = work
    level, guesses = 0, 0
    possible = _propagate(stack[0], queue, waiting, board)
    while True:
        if possible:
            cell = _most_constrained(stack[level], rng)
            if cell < 0:
                return FOUND, guesses, level
            if guesses == budget:
                return GAVE_UP, guesses, level
            guesses += 1
            bit = _random_bit(stack[level, cell], rng)
            _copy(stack[level], stack[level + 1])
            stack[level, cell] &= ~bit  # what remains should this guess fail
            guessed[level] = cell
            level += 1
            stack[level, cell] = bit
            queue[0] = cell
            possible = _propagate(stack[level], queue, ONE, board)
        else:
            level -= 1
            if level < 0:
                return NO_SOLUTION, guesses, 0
            queue[0] = guessed[level]
            mask = stack[level, guessed[level]]
            placed = ONE if mask & (mask - 1) == 0 else NOTHING
            possible = _propagate(stack[level], queue, placed, board)


@compiled
def load(question: Cells, work: Workspace, board: Board, cell: Int, symbol: Int) -> int:
    """Put a question's candidates into `work.stack[0]`, without `symbol` at `cell` (−1: nowhere).

    The givens must not clash. Returns: how many cells of `work.queue` have one candidate, or −1
    if a cell has none.
    """
    masks = work.stack[0]
    used = np.zeros(board.units.shape[0], np.int32)
    for i in range(question.size):
        if question[i]:
            for unit in board.units_of[i]:
                used[unit] |= 1 << (question[i] - 1)
    waiting = 0
    for i in range(question.size):
        if question[i]:
            masks[i] = 1 << (question[i] - 1)
            continue
        mask: Int = board.full
        for unit in board.units_of[i]:
            mask &= ~used[unit]
        if i == cell:
            mask &= ~(1 << (symbol - 1))
        if mask == 0:
            return -1
        masks[i] = mask
        if mask & (mask - 1) == 0:
            work.queue[waiting] = i
            waiting += 1
    return waiting


@compiled
def read(masks: Ints, cells: Cells) -> None:
    """Write the symbols of placed masks into `cells`."""
    for i in range(masks.size):
        cells[i] = _bits(masks[i] - 1) + 1


@compiled
def _shuffle(order: Ints, rng: RngState) -> None:
    for i in range(order.size - 1, 0, -1):
        j = below(rng, i + 1)
        order[i], order[j] = order[j], order[i]


@compiled
def _fill(answer: Cells, work: Workspace, board: Board, rng: RngState) -> None:
    """A random full grid; a search that runs long starts afresh."""
    answer[:] = 0
    while True:
        load(answer, work, board, NOWHERE, NOTHING)
        status, _, level = search(NOTHING, work, board, rng, 2 * answer.size)
        if status == FOUND:
            read(work.stack[level], answer)
            return


@compiled
def _dig(question: Cells, work: Workspace, board: Board, rng: RngState, budget: int) -> Ints:
    """Empty cells of a full grid in random order while the solution stays unique.

    A cell whose emptiness cannot be proved harmless within `budget` guesses stays.
    Returns: the order tried; its emptied cells are those that are 0 now.
    """
    order = np.arange(question.size).astype(np.int32)
    _shuffle(order, rng)
    for cell in order:
        symbol = question[cell]
        question[cell] = 0
        waiting = load(question, work, board, np.int64(cell), np.int64(symbol))
        if waiting >= 0 and search(waiting, work, board, rng, budget)[0] != NO_SOLUTION:
            question[cell] = symbol
    return order


@compiled
def rate(question: Cells, work: Workspace, board: Board, limit: int) -> int:
    """Guesses until the solution is found, at most `limit`; the same for every run."""
    rng = np.zeros(1, np.uint64)
    waiting = load(question, work, board, NOWHERE, NOTHING)
    return 0 if waiting < 0 else search(waiting, work, board, rng, limit)[1]


@compiled
def generate(
    questions: Cells,
    answers: Cells,
    work: Workspace,
    board: Board,
    rng: RngState,
    extra_givens: tuple[int, int],
    budget: int,
) -> None:
    """Fill (N, S) `questions` and `answers` with fresh puzzles."""
    for n in range(questions.shape[0]):
        question, answer = questions[n], answers[n]
        _fill(answer, work, board, rng)
        _copy(answer, question)
        order = _dig(question, work, board, rng, budget)
        _shuffle(order, rng)
        extra = extra_givens[0] + below(rng, extra_givens[1] - extra_givens[0] + 1)
        for cell in order:
            if extra > 0 and question[cell] == 0:
                question[cell] = answer[cell]
                extra -= 1
