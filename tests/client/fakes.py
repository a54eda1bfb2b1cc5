"""A server that answers by heart, and time that passes when somebody sleeps."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from client import AsyncPonder, Ponder, Retries

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOLVED = {
    "status": "solved",
    "solution": [[1, 2], [2, 1]],
    "verified": True,
    "steps": 3,
    "attempts": 1,
    "stopped_by": "verified",
    "halt_probability": 0.5,
    "timing": {"queue_ms": 1.0, "compute_ms": 2.0},
    "model": "by heart",
}
BATCH = {
    "id": "batch_1",
    "name": None,
    "state": "running",
    "created_at": "2026-01-01T00:00:00Z",
    "started_at": None,
    "ended_at": None,
    "expires_at": "2026-01-08T00:00:00Z",
    "counts": {"total": 2, "answered": 0, "solved": 0, "unsolved": 0, "invalid": 0},
    "problem": None,
}

Answer = httpx2.Response | httpx2.TransportError | Callable[[httpx2.Request], httpx2.Response]


class FakeTime:
    """Sleeping takes no time, and time passes all the same."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds - 100)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


class Script:
    """A server that gives the answers that it was told, one after the other."""

    def __init__(self, *answers: Answer) -> None:
        self.time = FakeTime()
        self.asked: list[httpx2.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, httpx2.TransportError):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else answer(request)

    def ponder(self, retries: Retries | None = None) -> Ponder:
        return Ponder(
            "http://fake",
            retries=retries or Retries(),
            transport=httpx2.MockTransport(self),
            clock=self.time.clock,
            now=self.time.now,
            sleep=self.time.sleep,
            jitter=lambda: 1.0,
        )

    def async_ponder(self) -> AsyncPonder:
        return AsyncPonder(
            "http://fake",
            transport=httpx2.MockTransport(self),
            clock=self.time.clock,
            now=self.time.now,
            sleep=self.time.sleep_async,
            jitter=lambda: 1.0,
        )


class CutOff(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body whose connection breaks behind these bytes."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        raise httpx2.ReadError("gone")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
        raise httpx2.ReadError("gone")


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    body = {"type": "x", "title": "x", "status": status, "code": code, "detail": "so it is"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named)


def solved(**changes: Any) -> httpx2.Response:
    return httpx2.Response(200, json=SOLVED | changes)


def batch(**changes: Any) -> httpx2.Response:
    return httpx2.Response(200, json=BATCH | changes)


def events(*named: tuple[str, str]) -> httpx2.Response:
    text = "".join(f"event: {name}\ndata: {data}\n\n" for name, data in named)
    return httpx2.Response(200, text=text, headers={"Content-Type": "text/event-stream"})


def sent_bodies(asked: Sequence[httpx2.Request]) -> list[bytes]:
    return [request.content for request in asked]
