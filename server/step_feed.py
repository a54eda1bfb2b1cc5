"""Supervision steps on their way from the worker's thread to one reader on the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import final

from server.lane import Job
from server.observing import SeenStep

MOST_WAITING = 256  # steps of one reader


@dataclass(frozen=True)
class CountedStep:
    """A step of a request's job.

    job: its number in the request, from 0; step: over all attempts, from 1; attempt_step: from 1.
    """

    job: int
    step: int
    attempt_step: int
    seen: SeenStep


@final
class StepFeed:
    """Observes jobs for one reader. Neither waits for the other, and what waits is bounded.

    Of a reader that is too slow the oldest steps are left out; their numbers tell.
    """

    def __init__(self, jobs: Sequence[Job], most_waiting: int = MOST_WAITING) -> None:
        """Make it on the reader's event loop, before the jobs are submitted."""
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._told = False  # the loop knows that something waits
        self._waiting: deque[CountedStep] = deque(maxlen=most_waiting)
        for number, job in enumerate(jobs):
            job.observer = _Counter(number, self._put)

    def pop(self) -> CountedStep | None:
        """The oldest step that waits."""
        return self._waiting.popleft() if self._waiting else None

    def wake(self) -> None:
        """End the reader's wait, on its loop."""
        self._told = False  # before the reader looks: what is put from now on wakes it again
        self._news.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a step, or to be woken; false if neither came for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def _put(self, step: CountedStep) -> None:
        """On the worker's thread."""
        self._waiting.append(step)
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop is closed: nobody reads
                self._loop.call_soon_threadsafe(self.wake)


@final
class _Counter:
    """The observer of one job: counts, also what the reader will not see."""

    def __init__(self, number: int, put: Callable[[CountedStep], None]) -> None:
        self._number = number
        self._put = put
        self._step = self._attempt_step = self._attempt = 0

    def __call__(self, seen: SeenStep) -> None:
        self._step += 1
        self._attempt_step = self._attempt_step + 1 if seen.attempt == self._attempt else 1
        self._attempt = seen.attempt
        self._put(CountedStep(self._number, self._step, self._attempt_step, seen))
