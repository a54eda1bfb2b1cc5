"""Does what flows say, in the calling thread; many at once in threads of their own."""

import queue
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from client.errors import PonderError
from client.flows import (
    Do,
    Effect,
    Emit,
    Event,
    Flow,
    Open,
    ReadOn,
    Send,
    Sleep,
    Stream,
)
from client.requests import Call
from client.responses import FIRST_ERROR
from client.uploads import Upload
from client.wire import TimeLimits, reply_of, request_options, typed_errors

T = TypeVar("T")
E = TypeVar("E")


@dataclass(frozen=True)
class SyncIo:
    """Runs flows over a client of httpx2, which threads may share."""

    http: httpx2.Client
    limits: TimeLimits
    sleep: Callable[[float], None]

    def run(self, flow: Flow[T]) -> T:
        """What a flow returns."""
        with closing(_Conversation(self)) as conversation, closing(flow):
            told, failed = None, None
            while True:
                try:
                    effect = flow.send(told) if failed is None else flow.throw(failed)
                except StopIteration as end:
                    result: T = end.value
                    return result
                told, failed = conversation.outcome(effect)

    def iterate(self, stream: Stream[E]) -> Generator[E]:
        """What a stream emits."""
        with closing(_Conversation(self)) as conversation:
            yield from conversation.emitted(stream)

    def merged(self, streams: Iterable[Stream[E]], at_once: int) -> Generator[E]:
        """What many streams emit, as it comes; each has its thread, and so many run at once."""
        return _Merger(self, iter(streams)).emitted(at_once)


class _Conversation:
    """The effects of one flow, with its one open response."""

    def __init__(self, io: SyncIo) -> None:
        self._io = io
        self._response: httpx2.Response | None = None
        self._parts: Iterator[Any] = iter(())
        self._aborted = False

    def emitted(self, stream: Stream[E]) -> Generator[E]:
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
                    told, failed = self.outcome(effect)

    def outcome(self, effect: Effect) -> tuple[Any, PonderError | None]:
        """What a flow is told of an effect, or the error that is thrown into it."""
        try:
            return self._do(effect), None
        except PonderError as error:
            return None, error

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def abort(self) -> None:
        """From another thread: what it reads now ends, and nothing else begins."""
        self._aborted = True
        response = self._response
        stream = None if response is None else response.extensions.get("network_stream")
        if stream is not None and (connection := stream.get_extra_info("socket")) is not None:
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)

    def _do(self, effect: Effect) -> Any:
        if self._aborted:
            raise _AbortedError
        match effect:
            case Send(call):
                with typed_errors():
                    response = self._io.http.send(self._request(call))
                return reply_of(response, response.content)
            case Open(call, form):
                return self._open(call, by_event=form == "events")
            case ReadOn():
                with typed_errors():
                    return next(self._parts, None)
            case Sleep(seconds):
                self._io.sleep(seconds)
            case Do(action):
                return action()
        return None

    def _open(self, call: Call, *, by_event: bool) -> Any:
        self.close()
        with typed_errors():
            response = self._io.http.send(self._request(call), stream=True)
            self._response = response
            if response.status_code >= FIRST_ERROR:
                return reply_of(response, response.read())
        self._parts = _events(response) if by_event else response.iter_bytes()
        return reply_of(response)

    def _request(self, call: Call) -> httpx2.Request:
        body = call.body.pieces() if isinstance(call.body, Upload) else call.body
        options = request_options(call, self._io.limits)
        return self._io.http.build_request(**options, content=body)


def _events(response: httpx2.Response) -> Iterator[Event]:
    for event in httpx2.EventSource(response):
        yield Event(event.event, event.data)


class _AbortedError(PonderError):
    """Nobody waits for this any more."""


@dataclass(frozen=True)
class _Ended:
    """The end of a stream, by an error or not."""

    conversation: _Conversation
    error: BaseException | None


class _Merger:
    """Streams in threads, whose values and ends come together in one queue.

    The queue needs no bound: a stream begins only when the end of another was taken out of it.
    """

    def __init__(self, io: SyncIo, streams: Iterator[Stream[Any]]) -> None:
        self._io = io
        self._streams = streams
        self._queue: queue.SimpleQueue[Emit[Any] | _Ended] = queue.SimpleQueue()
        self._running: set[_Conversation] = set()

    def emitted(self, at_once: int) -> Generator[Any]:
        try:
            while self._begin(at_once) or self._running:
                found = self._queue.get()
                if isinstance(found, Emit):
                    yield found.value
                    continue
                self._running.discard(found.conversation)
                if found.error is not None:
                    raise found.error
        finally:
            for conversation in self._running:
                conversation.abort()

    def _begin(self, at_once: int) -> bool:
        """Start what may run."""
        while len(self._running) < at_once:
            stream = next(self._streams, None)
            if stream is None:
                return False
            conversation = _Conversation(self._io)
            self._running.add(conversation)
            work = (conversation, stream)
            threading.Thread(target=self._work, args=work, name="ponder-part", daemon=True).start()
        return True

    def _work(self, conversation: _Conversation, stream: Stream[Any]) -> None:
        error: BaseException | None = None
        try:
            with closing(conversation):
                for value in conversation.emitted(stream):
                    self._queue.put(Emit(value))
        except BaseException as caught:  # the consumer's thread raises it
            error = caught
        self._queue.put(_Ended(conversation, error))
