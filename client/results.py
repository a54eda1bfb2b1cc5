"""Flows that fetch the results of a batch, and go on where they were cut off."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from client.batch_schemas import Batch, BatchLine
from client.errors import MalformedResponseError, ProblemError
from client.flows import (
    Do,
    Effect,
    Emit,
    Flow,
    Open,
    ReadOn,
    Setting,
    Sleep,
    Stream,
    answer,
    answered,
    getting_on,
)
from client.requests import results_call, state_call
from client.responses import LineBuffer, Reply, read
from client.results_file import ResultsFile

E = TypeVar("E")


@dataclass(frozen=True)
class Following:
    """Whether to wait for results that are still to come, and how often to look for them."""

    follow: bool
    every_s: float = 1.0


@dataclass(frozen=True)
class Downloaded:
    """What a file holds now; complete: nothing will ever come behind that."""

    size_bytes: int
    complete: bool


def lines(batch_id: str, following: Following, setting: Setting) -> Stream[BatchLine]:
    """The results so far, line by line; or to the end, if they are followed."""
    buffer = LineBuffer()

    def split(part: bytes) -> Stream[BatchLine]:
        for line in buffer.feed(part):
            yield Emit(read(BatchLine, line))

    yield from fetched(batch_id, 0, following, split, setting)
    if buffer.rest:
        raise MalformedResponseError("the results end within a line")


def raw(batch_id: str, start_byte: int, following: Following, setting: Setting) -> Stream[bytes]:
    """The same as bytes, from a byte on."""

    def pass_on(part: bytes) -> Stream[bytes]:
        yield Emit(part)

    yield from fetched(batch_id, start_byte, following, pass_on, setting)


def download(
    batch_id: str,
    path: Path,
    following: Following,
    progress: Callable[[int], None] | None,
    setting: Setting,
) -> Flow[Downloaded]:
    """The results as a file, which goes on behind what it holds of them already.

    Raises: ResultsMismatchError if it holds something else; OSError of the disk.
    """
    file = yield Do(lambda: ResultsFile(path))
    assert isinstance(file, ResultsFile)
    with closing(file):

        def store(part: bytes) -> Flow[None]:
            yield Do(lambda: file.take(part))
            if progress is not None:
                progress(file.size_bytes)

        complete = yield from fetched(batch_id, file.start, following, store, setting)
        file.check()
        return Downloaded(file.size_bytes, complete)


def fetched(
    batch_id: str,
    start: int,
    following: Following,
    sink: Callable[[bytes], Generator[Effect | E, Any, None]],
    setting: Setting,
) -> Generator[Effect | E, Any, bool]:
    """Pour results from byte `start` on into `sink`. Returns whether these are all."""
    at, complete, ended = start, False, False

    def once(read_s: float) -> Generator[Effect | E, Any, None]:
        nonlocal at, complete
        call = replace(results_call(batch_id, at), read_s=read_s)
        reply = yield from answered(Open(call, "bytes"), setting)
        _check_range(reply, at)
        while (part := (yield ReadOn())) is not None:
            at += len(part)
            yield from sink(part)
        complete = reply.headers.get("ponder-complete") == "true"

    while True:
        try:
            yield from getting_on(once, lambda: at, setting)
        except ProblemError as error:  # nothing behind `at`, perhaps for ever
            if error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            complete = ended
            if not ended:
                ended = (yield from answer(Batch, state_call(batch_id), setting)).has_ended
                if ended:
                    continue  # something may have come before it ended
        if complete or not following.follow:
            return complete
        yield Sleep(following.every_s)


def _check_range(reply: Reply, at: int) -> None:
    """Raises: MalformedResponseError unless the answer begins at this byte."""
    begins = reply.headers.get("content-range", "bytes 0-").startswith(f"bytes {at}-")
    if not begins or (at > 0) != (reply.status == HTTPStatus.PARTIAL_CONTENT):
        raise MalformedResponseError(f"the server sent other results than those from byte {at} on")
