"""The lines of one batch that are being solved, and their answers in the order of the lines.

A line is retried while its puzzle size is given up, since that says nothing of the line; where a
supervision step with it failed, a few times.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import final

from puzzles.errors import PuzzleError
from server.batches.lines import ReadLine
from server.batches.schemas import BatchLine
from server.choice import NotServedError, UnknownModelError
from server.effort import LimitExceededError
from server.errors import problem_of
from server.lane import SolveResult
from server.schemas import SolveAnswer, SolveRequest
from server.solver import DrainingError
from server.worker import EngineDownError, EngineFailedError, WorkerClosedError

TRIES = 3  # of a line whose supervision step fails

# Hands a puzzle to the solver: (request, batch) -> its result to come. Raises what `prepare` and
# `submit` of the solver raise.
Ask = Callable[[SolveRequest, str], Future[SolveResult]]


class SolverStoppedError(Exception):
    """The solver takes no more lines; those without an answer wait for the next start."""


@dataclass(frozen=True)
class Place:
    """A line's number, from 1, and where in the upload the next one begins."""

    line: int
    end_bytes: int


@dataclass(frozen=True)
class Answered:
    """A line with its answer or problem."""

    place: Place
    line: BatchLine


@dataclass
class _Pending:
    place: Place
    read: ReadLine
    future: Future[SolveResult] | None = None
    error: Exception | None = None  # what the line is answered with, in place of a result
    failures: int = 0
    not_before_s: float = 0.0


@final
class Window:
    """Lines in flight. Not thread-safe: whoever runs the batch has it for itself."""

    def __init__(self, batch: str, ask: Ask, clock: Callable[[], float]) -> None:
        """clock: seconds, from anywhere."""
        self._batch = batch
        self._ask = ask
        self._clock = clock
        self._pending: deque[_Pending] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, place: Place, read: ReadLine) -> None:
        """Begin with another line. Raises: SolverStoppedError, and the line is not in."""
        pending = _Pending(place, read)
        self._begin(pending)
        self._pending.append(pending)

    def repeat(self) -> None:
        """Ask again for lines that failed for no fault of theirs. Raises: SolverStoppedError."""
        for pending in self._pending:
            if pending.future is not None and pending.future.done():
                self._look_at(pending, pending.future.exception())
            if pending.future is None and pending.error is None:
                self._begin(pending)

    def take(self) -> Iterator[Answered]:
        """Lines that are answered, in order, up to the first that is not."""
        while self._pending and (answer := _answer(self._pending[0])) is not None:
            yield Answered(self._pending.popleft().place, answer)

    def close(self) -> None:
        """Nobody wants the answers any more."""
        while self._pending:
            future = self._pending.popleft().future
            if future is not None:
                future.cancel()

    def _begin(self, pending: _Pending) -> None:
        asked = pending.read.asked
        if isinstance(asked, Exception):
            pending.error = asked
        elif pending.not_before_s <= self._clock():
            try:
                pending.future = self._ask(asked, self._batch)
            except (
                PuzzleError,
                NotServedError,
                UnknownModelError,
                LimitExceededError,
            ) as error:
                pending.error = error
            except (DrainingError, WorkerClosedError) as error:
                raise SolverStoppedError from error

    def _look_at(self, pending: _Pending, error: BaseException | None) -> None:
        """Decide what becomes of a line whose future is done. Raises: SolverStoppedError."""
        if error is None:
            return
        pending.future = None
        if isinstance(error, WorkerClosedError):
            raise SolverStoppedError from error
        if isinstance(error, EngineDownError):
            pending.not_before_s = self._clock() + error.retry_after_s
            return
        pending.failures += 1
        if not isinstance(error, EngineFailedError) or pending.failures == TRIES:
            assert isinstance(error, Exception)
            pending.error = error


def _answer(pending: _Pending) -> BatchLine | None:
    """What a line is answered with, if it is known."""
    custom_id, number = pending.read.custom_id, pending.place.line
    if pending.error is not None:
        return BatchLine(custom_id=custom_id, line=number, problem=problem_of(pending.error))
    future = pending.future
    if future is None or not future.done() or future.exception() is not None:
        return None
    return BatchLine(custom_id=custom_id, line=number, result=SolveAnswer.of(future.result()))
