"""Does what flows say, in the running event loop; many at once as tasks of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from client.errors import PonderError
from client.flows import Do, Effect, Emit, Event, Flow, Open, ReadOn, Send, Sleep, Stream
from client.requests import Call
from client.responses import FIRST_ERROR
from client.uploads import Upload
from client.wire import TimeLimits, reply_of, request_options, typed_errors

T = TypeVar("T")
E = TypeVar("E")


@dataclass(frozen=True)
class AsyncIo:
    """Runs flows over a client of httpx2 that belongs to one event loop."""

    http: httpx2.AsyncClient
    limits: TimeLimits
    sleep: Callable[[float], Awaitable[None]]

    async def run(self, flow: Flow[T]) -> T:
        """What a flow returns."""
        async with aclosing(_Conversation(self)) as conversation:
            with closing(flow):
                told, failed = None, None
                while True:
                    try:
                        effect = flow.send(told) if failed is None else flow.throw(failed)
                    except StopIteration as end:
                        result: T = end.value
                        return result
                    told, failed = await conversation.outcome(effect)

    async def iterate(self, stream: Stream[E]) -> AsyncGenerator[E]:
        """What a stream emits."""
        async with aclosing(_Conversation(self)) as conversation:
            with closing(stream):
                told, failed = None, None
                while True:
                    try:
                        effect = stream.send(told) if failed is None else stream.throw(failed)
                    except StopIteration:
                        return
                    if isinstance(effect, Emit):
                        told, failed = None, None
                        yield effect.value
                    else:
                        told, failed = await conversation.outcome(effect)

    async def merged(self, streams: Iterable[Stream[E]], at_once: int) -> AsyncGenerator[E]:
        """What many streams emit, as it comes; so many run at once.

        The queue needs no bound: a stream begins only when another's end was taken out of it.
        """
        waiting = iter(streams)
        arrived: asyncio.Queue[Emit[E] | asyncio.Task[None]] = asyncio.Queue()
        running: set[asyncio.Task[None]] = set()

        async def work(stream: Stream[E]) -> None:
            async with aclosing(self.iterate(stream)) as values:
                async for value in values:
                    arrived.put_nowait(Emit(value))

        try:
            while True:
                for stream in _up_to(at_once - len(running), waiting):
                    task = asyncio.create_task(work(stream))
                    task.add_done_callback(arrived.put_nowait)
                    running.add(task)
                if not running:
                    return
                found = await arrived.get()
                if isinstance(found, Emit):
                    yield found.value
                else:
                    running.discard(found)
                    found.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


class _Conversation:
    """The effects of one flow, with its one open response."""

    def __init__(self, io: AsyncIo) -> None:
        self._io = io
        self._response: httpx2.Response | None = None
        self._parts: AsyncIterator[Any] = _nothing()

    async def outcome(self, effect: Effect) -> tuple[Any, PonderError | None]:
        """What a flow is told of an effect, or the error that is thrown into it."""
        try:
            return await self._do(effect), None
        except PonderError as error:
            return None, error

    async def aclose(self) -> None:
        if self._response is not None:
            await self._response.aclose()
            self._response = None

    async def _do(self, effect: Effect) -> Any:
        match effect:
            case Send(call):
                with typed_errors():
                    response = await self._io.http.send(self._request(call))
                return reply_of(response, response.content)
            case Open(call, form):
                return await self._open(call, by_event=form == "events")
            case ReadOn():
                with typed_errors():
                    return await anext(self._parts, None)
            case Sleep(seconds):
                await self._io.sleep(seconds)
            case Do(action):
                return await asyncio.to_thread(action)
        return None

    async def _open(self, call: Call, *, by_event: bool) -> Any:
        await self.aclose()
        with typed_errors():
            response = await self._io.http.send(self._request(call), stream=True)
            self._response = response
            if response.status_code >= FIRST_ERROR:
                return reply_of(response, await response.aread())
        self._parts = _events(response) if by_event else response.aiter_bytes()
        return reply_of(response)

    def _request(self, call: Call) -> httpx2.Request:
        body = _in_threads(call.body) if isinstance(call.body, Upload) else call.body
        options = request_options(call, self._io.limits)
        return self._io.http.build_request(**options, content=body)


async def _events(response: httpx2.Response) -> AsyncIterator[Event]:
    async for event in httpx2.EventSource(response):
        yield Event(event.event, event.data)


async def _in_threads(upload: Upload) -> AsyncIterator[bytes]:
    """An upload whose disk holds nobody else up."""
    pieces = upload.pieces()
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


async def _nothing() -> AsyncIterator[Any]:
    return
    yield


def _up_to(count: int, streams: Iterator[Stream[E]]) -> Iterator[Stream[E]]:
    for _ in range(count):
        if (stream := next(streams, None)) is None:
            return
        yield stream
