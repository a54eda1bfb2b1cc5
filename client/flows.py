"""How conversations with a server go, written once for both clients.

A flow is a generator that says what is to be done next (an effect), is told what came of it, and
returns its result. A stream also emits values on its way. `sync_io` and `async_io` do what flows
say; the flows themselves touch no network, clock or disk. A flow has one response open at a time.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from client.batch_schemas import Batch
from client.errors import PonderError, ProblemError, TimedOutError
from client.requests import READY, Call
from client.responses import Reply, raise_for_problem, read
from client.retrying import Retries, attempts, may_repeat
from client.schemas import Health
from client.task_schemas import Task

SHORTEST_READ_S = 0.001  # a time-out of none at all would mean something else

T = TypeVar("T")
E = TypeVar("E")
Y = TypeVar("Y")
M = TypeVar("M", bound=BaseModel)
P = TypeVar("P", Batch, Task)

# How the body of an open response is read: as it comes, or by events.
Form = Literal["bytes", "events"]


@dataclass(frozen=True)
class Send:
    """Send a request and read the whole answer. Told: its `Reply`."""

    call: Call


@dataclass(frozen=True)
class Open:
    """Send a request and leave its answer open. Told: its `Reply`, with content if it failed."""

    call: Call
    form: Form


@dataclass(frozen=True)
class ReadOn:
    """Told: the next part of the open response, or None at its end."""


@dataclass(frozen=True)
class Sleep:
    """Let so much time pass."""

    seconds: float


@dataclass(frozen=True)
class Do:
    """Something that may wait for the disk. Told: what it returns."""

    action: Callable[[], Any]


@dataclass(frozen=True)
class Emit(Generic[E]):
    """A value for whoever iterates over the stream."""

    value: E


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    name: str
    data: str


Effect: TypeAlias = Send | Open | ReadOn | Sleep | Do
Flow: TypeAlias = Generator[Effect, Any, T]
Stream: TypeAlias = Generator[Effect | Emit[E], Any, None]


@dataclass(frozen=True)
class Setting:
    """What flows know of the world. clock: seconds, monotonic. random: in 0..1."""

    retries: Retries
    read_s: float
    clock: Callable[[], float]
    now: Callable[[], datetime]
    random: Callable[[], float]


@dataclass(frozen=True)
class Polling:
    """How to wait for something: looks every so often, for so long; progress hears of changes."""

    every_s: float
    timeout_s: float | None
    progress: Callable[[Any], None] | None


def asked(call: Call, setting: Setting) -> Flow[Reply]:
    """The answer to a request, which is sent again where that is worth it.

    Raises: ProblemError, ConnectionFailedError, TimedOutError.
    """

    def once(read_s: float) -> Flow[Reply]:
        return (yield from answered(Send(replace(call, read_s=read_s)), setting))

    return insisting(once, setting, repeatable=call.repeatable)


def answer(kind: type[M], call: Call, setting: Setting) -> Flow[M]:
    """The answer, read. Raises: what `asked` does; MalformedResponseError."""
    reply = yield from asked(call, setting)
    return read(kind, reply.content)


def opened(call: Call, form: Form, setting: Setting) -> Flow[Reply]:
    """Like `asked`, for an answer that is then read on part by part."""

    def once(read_s: float) -> Flow[Reply]:
        return (yield from answered(Open(replace(call, read_s=read_s), form), setting))

    return insisting(once, setting, repeatable=call.repeatable)


def answered(effect: Send | Open, setting: Setting) -> Flow[Reply]:
    """One try. Raises: ProblemError, ConnectionFailedError, TimedOutError."""
    reply = yield effect
    assert isinstance(reply, Reply)
    raise_for_problem(reply, setting.now())
    return reply


def insisting(
    once: Callable[[float], Generator[Y, Any, T]], setting: Setting, *, repeatable: bool = True
) -> Generator[Y | Sleep, Any, T]:
    """Try `once`, told how long an answer may take, until it succeeds or must not be repeated."""
    until_s = setting.clock() + setting.retries.total_s
    waits: list[float] = []
    results: list[T] = []

    def seconds_left() -> float:
        return max(until_s - setting.clock(), SHORTEST_READ_S)

    for attempt in attempts(
        setting.retries,
        repeatable=repeatable,
        seconds_left=seconds_left,
        random=setting.random,
        sleep=waits.append,
    ):
        if waits:
            yield Sleep(waits.pop())
        with attempt:
            results.append((yield from once(min(setting.read_s, seconds_left()))))
    return results.pop()


def getting_on(
    once: Callable[[float], Generator[Y, Any, None]],
    position: Callable[[], int],
    setting: Setting,
) -> Generator[Y | Sleep, Any, None]:
    """A stream that goes on where its response was cut off: `once` begins at `position`.

    Whenever it has got on a little, its patience begins anew.
    """

    def part(read_s: float) -> Generator[Y, Any, bool]:
        before = position()
        try:
            yield from once(read_s)
        except PonderError as error:
            if position() == before or not may_repeat(error, repeatable=True):
                raise
            return False
        return True

    while not (yield from insisting(part, setting)):
        pass


def polled(kind: type[P], call: Call, polling: Polling, setting: Setting) -> Flow[P]:
    """Look until it has ended. Raises: what `answer` does; TimedOutError."""
    until_s = None if polling.timeout_s is None else setting.clock() + polling.timeout_s
    before = None
    while True:
        found = yield from answer(kind, call, setting)
        if polling.progress is not None and found != before:
            polling.progress(found)
        if found.has_ended:
            return found
        if until_s is not None and setting.clock() + polling.every_s > until_s:
            raise TimedOutError(f"not ended within {polling.timeout_s:g} s: {call.path}")
        before = found
        yield Sleep(polling.every_s)


def removed(call: Call, setting: Setting) -> Flow[None]:
    """Delete something. What is gone when asked again was deleted by the first try."""
    tries = 0

    def once(read_s: float) -> Flow[None]:
        nonlocal tries
        tries += 1
        try:
            yield from answered(Send(replace(call, read_s=read_s)), setting)
        except ProblemError as error:
            if tries == 1 or error.status != HTTPStatus.NOT_FOUND:
                raise

    return insisting(once, setting)


def health(setting: Setting) -> Flow[Health]:
    """Whether the server is ready; 503 is an answer too. Raises: what `answer` does."""
    reply = yield Send(READY)
    assert isinstance(reply, Reply)
    if reply.status != HTTPStatus.SERVICE_UNAVAILABLE:
        raise_for_problem(reply, setting.now())
    return read(Health, reply.content)
