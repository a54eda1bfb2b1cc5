"""Answers to one request: plainly, or with every supervision step before them as events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar, final

from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from server.arrivals import Arrivals, ClientGoneError
from server.errors import BY_ERROR, problem_of
from server.lane import Job, SolveResult
from server.metrics import ANSWERED, CLIENT_GONE, Metrics
from server.solver import Solver
from server.step_events import StepEvents
from server.step_feed import StepFeed
from server.worker import WorkerClosedError

EVENTS = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0  # of silence
KEEP_ALIVE = format_sse_event(comment="keep-alive")
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # nobody between may hold it

AnswerT = TypeVar("AnswerT", bound=BaseModel)

log = logging.getLogger(__name__)


async def answer_jobs(
    request: Request,
    solver: Solver,
    jobs: Sequence[Job],
    events: Callable[[], StepEvents],
    answer: Callable[[Mapping[int, SolveResult]], AnswerT],
) -> "AnswerT | EventStream":
    """Submit a request's jobs; its answer, or a stream that ends with it, where that is asked for.

    answer: from the results by number of the job.
    Raises: what `Solver.submit` does, ClientGoneError, and what becomes of a job.
    """
    feed = StepFeed(jobs) if accepts_events(request) else None
    arrivals = Arrivals(dict(enumerate(jobs)))
    solver.submit(jobs)

    async def whole() -> AnswerT:
        found = {}
        async with aclosing(arrivals.wait(request)) as results:
            async for number, result in results:
                if isinstance(result, Exception):
                    raise result
                found[number] = result
        solver.metrics.request(ANSWERED)
        return answer(found)

    if feed is None:
        return await whole()
    for job in jobs:
        if job.future.done():
            job.future.result()  # raises what failed at once, while there is a status to tell it by
    return EventStream(events(), feed, arrivals, whole, solver.metrics)


def accepts_events(request: Request) -> bool:
    """Whether a request names event streams: no wildcard does, and no quality value below others.

    JSON is the default, which who weighs it against events gets.
    """
    accepted = ",".join(request.headers.getlist("accept"))
    for media in accepted.split(",") if EVENTS in accepted.lower() else ():
        name, *parameters = (part.strip().lower() for part in media.split(";"))
        if name == EVENTS and not any(part.startswith("q=") for part in parameters):
            return True
    return False


@final
class EventStream(EventSourceResponse):
    """`start`, `step` after `step`, then `result` or `problem`. Its jobs end with it."""

    def __init__(
        self,
        events: StepEvents,
        feed: StepFeed,
        arrivals: Arrivals,
        answer: Callable[[], Coroutine[Any, Any, BaseModel]],
        metrics: Metrics,
        *,
        keep_alive_s: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        """answer: waits for what `arrivals` brings, and raises ClientGoneError."""
        self._content = self._chunks()
        super().__init__(self._content, headers=HEADERS)
        self._events = events
        self._feed = feed
        self._arrivals = arrivals
        self._answer = answer
        self._metrics = metrics
        self._keep_alive_s = keep_alive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """As a response; that the client leaves is noticed by `answer`, not here."""
        self._ending = asyncio.create_task(self._answer())
        self._ending.add_done_callback(lambda _: self._feed.wake())
        try:
            await self.stream_response(send)
        except OSError:  # how some servers tell that nobody reads
            if not self._ending.done():
                self._metrics.request(CLIENT_GONE)
        finally:
            self._ending.cancel()
            self._arrivals.cancel()
            await self._content.aclose()

    async def _chunks(self) -> AsyncGenerator[bytes]:
        try:
            yield _event("start", self._events.start)
            async with aclosing(self._steps()) as steps:
                async for chunk in steps:
                    yield chunk
            yield _event("result", self._ending.result())
        except ClientGoneError:  # there is nobody to tell
            self._metrics.request(CLIENT_GONE)
        except asyncio.CancelledError:  # the time that the server has to stop is over
            yield self._problem(WorkerClosedError())
            raise
        except Exception as error:
            if type(error) not in BY_ERROR:
                log.exception("a stream failed")
            yield self._problem(error)

    async def _steps(self) -> AsyncGenerator[bytes]:
        ended = False
        while not ended:
            news = await self._feed.wait(self._keep_alive_s)
            ended = self._ending.done()  # seen before the last steps are taken: none comes after it
            while (counted := self._feed.pop()) is not None:
                yield _event("step", self._events.step(counted))
                await asyncio.sleep(0)  # sending may not: others on the loop get their turn
            if not news:
                yield KEEP_ALIVE

    def _problem(self, error: Exception) -> bytes:
        problem = problem_of(error)
        self._metrics.request(problem.code)
        return format_sse_event(
            event="problem", data_str=problem.model_dump_json(exclude_none=True)
        )


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())
