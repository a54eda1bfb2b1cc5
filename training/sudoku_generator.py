"""Fresh Sudoku puzzles of every size, in chunks that depend only on a seed and their number."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from types import TracebackType
from typing import final

import numpy as np
import numpy.typing as npt

from puzzles.sudoku import SUDOKUS, Sudoku
from training.dataset import PuzzleArrays
from training.sudoku_kernels import (
    NO_SOLUTION,
    Board,
    Cells,
    Workspace,
    generate,
    load,
    rate,
    search,
)

# Guesses after which a cell stays because its removal is not proved unique. Up to 9×9 a search ends
# long before, so that puzzles are minimal; 16×16 puzzles are minimal only as far as this proves. In
# 25×25 puzzles a cell is emptied only where propagation alone shows that the solution stays unique.
_DIG_BUDGET = {4: 1_000_000, 6: 1_000_000, 9: 1_000_000, 16: 300, 25: 0}
_RATING_LIMIT = 100_000


class GeneratorError(ValueError):
    """A size that cannot be generated, or a range of extra givens that is none."""


def sudoku_of(puzzle: str | Sudoku) -> Sudoku:
    """The Sudoku named like a `PuzzleSpec.name`. Raises: GeneratorError."""
    if isinstance(puzzle, Sudoku):
        return puzzle
    by_name = {sudoku.spec.name: sudoku for sudoku in SUDOKUS}
    if puzzle not in by_name:
        raise GeneratorError(f"cannot generate {puzzle!r}; sizes are {', '.join(by_name)}")
    return by_name[puzzle]


def generate_chunk(
    puzzle: str | Sudoku,
    *,
    seed: int,
    chunk_index: int,
    count: int,
    extra_givens: tuple[int, int] = (0, 0),
) -> PuzzleArrays:
    """`count` fresh puzzles with one solution each; the same arguments give the same puzzles.

    Minimal puzzles get back a number of givens drawn uniformly from `extra_givens` (both ends
    included). Raises: GeneratorError.
    """
    sudoku = sudoku_of(puzzle)
    low, high = extra_givens
    if not 0 <= low <= high <= sudoku.spec.seq_len:
        raise GeneratorError(
            f"extra givens {low}-{high}: expected 0 ≤ A ≤ B ≤ {sudoku.spec.seq_len}"
        )
    board, work = _board(sudoku), _workspace(sudoku)
    questions = np.zeros((count, sudoku.spec.seq_len), np.uint8)
    answers = np.zeros_like(questions)
    rng = np.random.SeedSequence([seed, chunk_index]).generate_state(1, np.uint64).view(np.uint64)
    generate(questions, answers, work, board, rng, (low, high), _DIG_BUDGET[sudoku.size])
    ratings = [rate(question, work, board, _RATING_LIMIT) for question in questions]
    return PuzzleArrays(questions, answers, np.array(ratings, np.int32))


def have_one_solution(puzzles: PuzzleArrays, sudoku: Sudoku) -> npt.NDArray[np.bool_]:
    """Whether each answer is the question's only one, (N,); False where a search gives up."""
    board, work, rng = _board(sudoku), _workspace(sudoku), np.zeros(1, np.uint64)
    budget = _DIG_BUDGET[sudoku.size]

    def is_needed(question: Cells, cell: int, symbol: int) -> bool:
        waiting = load(question, work, board, cell, symbol)
        return waiting < 0 or search(waiting, work, board, rng, budget)[0] == NO_SOLUTION

    return np.array(
        [
            all(is_needed(question, cell, int(answer[cell])) for cell in _empty(question))
            for question, answer in zip(puzzles.questions, puzzles.answers, strict=True)
        ],
        np.bool_,
    )


def _empty(question: Cells) -> list[int]:
    cells: list[int] = np.flatnonzero(question == 0).tolist()
    return cells


@cache
def _board(sudoku: Sudoku) -> Board:
    units = np.array([u for family in sudoku.spec.units for u in family.units], np.int32)
    cells = range(sudoku.spec.seq_len)
    units_of = np.array([np.flatnonzero((units == cell).any(axis=1)) for cell in cells], np.int32)
    peers = np.array(
        [np.setdiff1d(units[of].ravel(), [cell]) for cell, of in enumerate(units_of)], np.int32
    )
    return Board(units, units_of, peers, (1 << sudoku.size) - 1)


def _workspace(sudoku: Sudoku) -> Workspace:
    cells = sudoku.spec.seq_len
    return Workspace(
        np.zeros((cells + 1, cells), np.int32),
        np.zeros(cells + 1, np.int32),
        np.zeros(cells, np.int32),
    )


@final
class PuzzleStream:
    """Endless fresh puzzles; a background thread keeps `ahead` chunks ready.

    A stream opened with `taken=n` goes on exactly where one that gave out n puzzles stands.
    """

    def __init__(
        self,
        puzzle: str | Sudoku,
        *,
        seed: int,
        extra_givens: tuple[int, int] = (0, 0),
        taken: int = 0,
        chunk_size: int = 256,
        ahead: int = 4,
    ) -> None:
        self._sudoku = sudoku_of(puzzle)
        self._seed = seed
        self._extra_givens = extra_givens
        self._chunk_size = chunk_size
        self.taken = taken
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="puzzle-stream")
        self._next_chunk = taken // chunk_size
        self._chunks: deque[Future[PuzzleArrays]] = deque()
        for _ in range(max(1, ahead)):
            self._order_chunk()

    def take(self, count: int) -> PuzzleArrays:
        """The next `count` puzzles; waits for the thread where it is behind."""
        parts: list[PuzzleArrays] = []
        while count > 0:
            offset = self.taken % self._chunk_size
            part = self._chunks[0].result()[offset : offset + count]
            parts.append(part)
            self.taken += len(part)
            count -= len(part)
            if self.taken % self._chunk_size == 0:
                self._chunks.popleft()
                self._order_chunk()
        return PuzzleArrays.concatenate(parts)

    def _order_chunk(self) -> None:
        self._chunks.append(
            self._executor.submit(
                generate_chunk,
                self._sudoku,
                seed=self._seed,
                chunk_index=self._next_chunk,
                count=self._chunk_size,
                extra_givens=self._extra_givens,
            )
        )
        self._next_chunk += 1

    def close(self) -> None:
        """Stop the thread; waits for the chunk at work."""
        self._executor.shutdown(cancel_futures=True)

    def __enter__(self) -> "PuzzleStream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
