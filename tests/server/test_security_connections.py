"""Heads, framing and connections, as bytes on a real socket."""

import asyncio
import json

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.metrics import Metrics
from server.security.connections import (
    LONGEST_HEAD_BYTES,
    MOST_HEADERS,
    MOST_WAITING,
    bounded_protocol,
    connections_limit,
)

TIMEOUT_S = 30.0
ENDLESS = b"x" * (LONGEST_HEAD_BYTES // 2)
READS = 32 * (ENDLESS,)  # more than what is read with the beginning, which does not count
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(str(len(body)))(scope, receive, send)


async def answers(*requests: bytes, most: int = 9) -> bytes:
    """All that comes back on one connection, until the server hangs up."""
    config = uvicorn.Config(echo, lifespan="off", log_config=None, ws="none")
    config.load()
    server = uvicorn.Server(config)
    make = bounded_protocol(most, Metrics("0"))
    listening = await asyncio.get_running_loop().create_server(
        lambda: make(config=config, server_state=server.server_state, app_state={}),
        "127.0.0.1",
        0,
    )
    async with listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        try:
            for request in requests:
                writer.write(request)
                await writer.drain()
                await asyncio.sleep(0)
            return await asyncio.wait_for(reader.read(), TIMEOUT_S)
        except ConnectionError:  # the server hung up on what it did not read
            return b""
        finally:
            writer.close()


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def test_what_is_no_more_than_it_should_be_is_answered() -> None:
    headers = b"".join(b"X-%d: y\r\n" % n for n in range(MOST_HEADERS - 3))
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n" + headers
    answer = asyncio.run(answers(head + b"\r\nabc"))
    assert (status(answer), answer[-1:]) == (200, b"3")


@pytest.mark.parametrize(
    "head",
    [
        (b"GET / HTTP/1.1\r\n", (MOST_HEADERS + 1) * b"X: y\r\n", b"\r\n"),
        (b"GET / HTTP/1.1\r\nX: ", ENDLESS, ENDLESS, ENDLESS + b"\r\n\r\n"),
        (b"GET /?", ENDLESS, ENDLESS, ENDLESS + b" HTTP/1.1\r\n\r\n"),
        (b"GET / HTTP/1.1\r\n", ENDLESS, ENDLESS, ENDLESS + b": x\r\n\r\n"),
    ],
    ids=["headers", "a value", "a path", "a name"],
)
def test_a_head_without_end_is_refused_before_it_ends(head: tuple[bytes, ...]) -> None:
    answer = asyncio.run(answers(*head))
    top, _, body = answer.partition(b"\r\n\r\n")
    assert (status(answer), json.loads(body)["code"]) == (431, "head_too_large")
    assert b"\r\nconnection: close" in top
    assert b"\r\nx-content-type-options: nosniff" in top


@pytest.mark.parametrize(
    "framing",
    [
        (CHUNKED + b"1;", *READS),
        (CHUNKED + b"0\r\nX: ", *READS),
        (CHUNKED + b"0\r\n", (MOST_HEADERS + 1) * b"X: y\r\n"),
    ],
    ids=["extension", "trailer", "trailers"],
)
def test_endless_framing_of_a_body_ends_the_connection(framing: tuple[bytes, ...]) -> None:
    answer = asyncio.run(answers(*framing))
    assert not answer.startswith(b"HTTP/1.1 200")


def test_small_chunks_are_no_endless_framing() -> None:
    body = b"1\r\nx\r\n" * LONGEST_HEAD_BYTES
    close = CHUNKED.replace(b"Host", b"Connection: close\r\nHost")
    answer = asyncio.run(answers(close, body, b"0\r\n\r\n"))
    assert (status(answer), answer.endswith(b"%d" % LONGEST_HEAD_BYTES)) == (200, True)


def test_too_many_requests_behind_one_another_end_the_connection() -> None:
    answer = asyncio.run(answers((MOST_WAITING + 2) * b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert answer.count(b"HTTP/1.1 200") <= MOST_WAITING + 1


def test_one_connection_too_many_is_told_so() -> None:
    answer = asyncio.run(answers(b"", most=0))
    body = answer.partition(b"\r\n\r\n")[2]
    assert (status(answer), json.loads(body)["code"]) == (503, "too_many_connections")


def test_as_many_connections_as_files_may_be_open_unless_a_number_is_asked_for() -> None:
    assert connections_limit(7) == 7
    assert connections_limit(None) > 7
