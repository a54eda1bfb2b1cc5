"""Results on the event loop, in the order in which they come, for as long as somebody waits."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import ContextVar
from typing import Any, final

from starlette.requests import Request

from server.lane import Job, SolveResult

on_result: ContextVar[Callable[[Job, SolveResult], None] | None] = ContextVar(
    "ponder_on_result", default=None
)  # who wants to hear of each result of this context's request


class ClientGoneError(Exception):
    """The client closed its connection; nobody waits for the answer."""


@final
class Arrivals:
    """Listens to jobs from before they are submitted, so that their order is not lost."""

    def __init__(self, jobs: Mapping[int, Job]) -> None:
        """jobs: by the number under which their results are wanted."""
        self._events: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()
        self._jobs = jobs
        self._numbers: dict[asyncio.Future[Any], int] = {}
        for number, job in jobs.items():
            future = asyncio.wrap_future(job.future)
            future.add_done_callback(self._events.put_nowait)
            self._numbers[future] = number

    async def wait(self, request: Request) -> AsyncGenerator[tuple[int, SolveResult | Exception]]:
        """Each number and its result or error. Jobs not done when this ends are cancelled.

        Raises: ClientGoneError as soon as `request`'s client is.
        """
        gone = asyncio.create_task(_disconnected(request))
        gone.add_done_callback(self._events.put_nowait)
        heard = on_result.get()
        try:
            for _ in self._numbers:
                done = await self._events.get()
                if done is gone:
                    raise ClientGoneError
                error = done.exception()
                result = error if isinstance(error, Exception) else done.result()
                number = self._numbers[done]
                if heard is not None and isinstance(result, SolveResult):
                    heard(self._jobs[number], result)
                yield number, result
        finally:
            gone.cancel()
            self.cancel()

    def cancel(self) -> None:
        """Nobody wants the results any more; what is done already stays done."""
        for future in self._numbers:
            future.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
