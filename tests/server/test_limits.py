"""The body limit, message by message."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from server.limits import BodyLimit
from server.metrics import Metrics


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(body)(scope, receive, send)


def post(
    chunks: Iterable[bytes], headers: list[tuple[bytes, bytes]] | None = None
) -> tuple[int, bytes, int]:
    """Status, body, and how many chunks were taken, under a limit of 10 bytes."""
    waiting = list(chunks)
    taken = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers or []}
    limit = BodyLimit(echo, limit_bytes=10, limit_seconds=10.0, metrics=Metrics("0"))
    asyncio.run(limit(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], taken


@pytest.mark.parametrize("chunks", [[b""], [b"0123456789"], [b"01234", b"", b"56789"]])
def test_a_body_up_to_the_limit_arrives_whole(chunks: list[bytes]) -> None:
    assert post(chunks)[:2] == (200, b"".join(chunks))


def test_a_stream_is_refused_at_the_first_byte_too_many() -> None:
    status, body, taken = post([b"0123"] * 1000)
    assert (status, taken) == (413, 3)
    assert b'"code":"body_too_large"' in body


def test_an_announced_length_is_refused_without_reading() -> None:
    assert post([b"0" * 11], [(b"content-length", b"11")])[::2] == (413, 0)


def test_a_false_announcement_does_not_help() -> None:
    assert post([b"0" * 11], [(b"content-length", b"1")])[0] == 413


@pytest.mark.parametrize("length", [b"-5", b"ten", b"\xb2"])
def test_an_unreadable_announcement_is_ignored(length: bytes) -> None:
    assert post([b"01"], [(b"content-length", length)])[0] == 200


def test_a_body_that_does_not_come_is_given_up_and_the_connection_with_it() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    limit = BodyLimit(echo, limit_bytes=10, limit_seconds=0.001, metrics=Metrics("0"))
    asyncio.run(limit(scope, receive, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b'"code":"body_too_slow"' in sent[1]["body"]
