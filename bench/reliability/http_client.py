"""A small HTTP client: one connection per request in flight, kept and used again."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, cast, final

import numpy as np

TIMEOUT_S = 120.0  # who has no answer by then counts as hanging


class Listening(Protocol):
    """A server that takes connections."""

    @property
    def host(self) -> str:
        """Its address."""

    @property
    def port(self) -> int:
        """Its port."""


@dataclass(frozen=True)
class Answer:
    """What came back. status 0: nothing did, `body` says why."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_s: float
    seconds: float

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass
class Tally:
    """Answers of a load."""

    answers: list[Answer] = field(default_factory=list)

    def statuses(self) -> Counter[int]:
        """How many answers of each status; 0: none came."""
        return Counter(answer.status for answer in self.answers)

    def of(self, status: int) -> list[Answer]:
        """Answers of one status."""
        return [answer for answer in self.answers if answer.status == status]

    def latency_ms(self, percentile: float, status: int = 200) -> float:
        """Of answers of one status; NaN if there are none."""
        seconds = [answer.seconds for answer in self.of(status)]
        return 1000 * float(np.percentile(seconds, percentile)) if seconds else float("nan")


class _Connection(asyncio.Protocol):
    """One connection, one request at a time. As lean as can be: it shares the server's cores."""

    def __init__(self) -> None:
        self.open = False
        self._received = b""
        self._answer: asyncio.Future[tuple[int, dict[str, str], bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.open = cast("asyncio.Transport", transport), True  # of TCP

    def send(self, request: bytes) -> asyncio.Future[tuple[int, dict[str, str], bytes]]:
        """The answer to come: status, headers, body; ConnectionError if none does."""
        self._received, self._answer = b"", asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or self._answer is None or self._answer.done():
            return
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        if len(body) >= int(headers.get("content-length", 0)):
            self._answer.set_result((int(status.split()[1]), headers, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())


@final
class Client:
    """Sends requests to one server."""

    def __init__(self, server: Listening) -> None:
        self._host, self._port = server.host, server.port
        self._free: list[_Connection] = []

    async def get(self, path: str) -> Answer:
        """GET, one answer."""
        return await self._exchange(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    async def post(self, path: str, body: bytes, due_s: float | None = None) -> Answer:
        """POST a JSON body, one answer; its time counts from when it was due, now if unset."""
        return await self._exchange(encoded(path, body), due_s)

    async def _exchange(self, request: bytes, due_s: float | None = None) -> Answer:
        sent_s = time.monotonic() if due_s is None else due_s
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, headers, body = await self._send(request)
        except (OSError, TimeoutError) as error:
            why = type(error).__name__.encode()
            return Answer(0, {}, why, sent_s, time.monotonic() - sent_s)
        return Answer(status, headers, body, sent_s, time.monotonic() - sent_s)

    async def _send(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Over a connection that is free, as long as the server has not closed it, or a new one."""
        while self._free:
            connection = self._free.pop()
            with suppress(ConnectionError):
                if connection.open:
                    return await self._send_over(connection, request)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return await self._send_over(connection, request)

    async def _send_over(
        self, connection: _Connection, request: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        try:
            answer = await connection.send(request)
        except BaseException:
            connection.transport.close()
            raise
        if answer[1].get("connection") == "close":
            connection.transport.close()
        else:
            self._free.append(connection)
        return answer

    def close(self) -> None:
        """Close the connections that are free; the next requests open new ones."""
        for connection in self._free:
            connection.transport.close()
        self._free.clear()


def encoded(path: str, body: bytes) -> bytes:
    """A POST request, as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def closed_loop(
    client: Client, bodies: Sequence[bytes], *, clients: int, seconds: float
) -> Tally:
    """So many clients that each send the next puzzle when the last one is answered."""
    tally, until_s = Tally(), time.monotonic() + seconds

    async def one(number: int) -> None:
        while time.monotonic() < until_s:
            tally.answers.append(await client.post("/v1/solve", bodies[number % len(bodies)]))
            number += clients

    await asyncio.gather(*(one(number) for number in range(clients)))
    return tally


async def open_loop(
    client: Client, bodies: Sequence[bytes], *, per_second: float, seconds: float
) -> Tally:
    """Requests at a fixed rate, whatever comes back; waits for every answer.

    Times count from when a request was due: a late sender must not hide that answers were late.
    """
    tally, started_s = Tally(), time.monotonic()

    async def one(body: bytes, due_s: float) -> None:
        tally.answers.append(await client.post("/v1/solve", body, due_s))

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(per_second * seconds)):
            due_s = started_s + number / per_second
            wait_s = due_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            tasks.create_task(one(bodies[number % len(bodies)], due_s))
    return tally
