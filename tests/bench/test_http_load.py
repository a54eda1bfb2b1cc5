"""What the load generators say, and from when a request's time counts."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from bench.http_contenders import Running
from bench.http_load import Measurement, batches_of, closed_loop, need_wrk, parse, write_script
from bench.reliability.http_client import Client, Tally, open_loop
from bench.report import BenchError

SAID = """Running 2s test @ http://127.0.0.1:8000
  1 threads and 4 connections
  50 requests in 2.00s, 9.0KB read
WRK {"microseconds": 2000000, "broken": 2, "percentiles_us": [1500.0, 2500.0, 9000.0], STATUSES}
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def test_only_answers_with_200_count_as_throughput() -> None:
    seen = parse(SAID.replace("STATUSES", '"statuses": [["200", 40], ["429", 10]]'))
    assert seen == Measurement(2.0, {200: 40, 429: 10, 0: 2}, 1.5, 2.5, 9.0)
    assert seen.per_second == 20.0


def test_output_without_the_scripts_line_is_an_error() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_without_wrk_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BenchError, match="apt-get install wrk"):
        need_wrk()


@pytest.mark.parametrize(("size", "batches"), [(1, 3), (2, 1), (5, 1)])
def test_batches_are_full_even_of_few_puzzles(size: int, batches: int) -> None:
    made = [json.loads(body) for body in batches_of([b'{"n": 0}', b'{"n": 1}', b'{"n": 2}'], size)]
    assert [len(one["items"]) for one in made] == [size] * batches


class Server:
    """Answers nobody until `hold` requests are there; then everybody."""

    def __init__(self, hold: int) -> None:
        self._hold = hold
        self._enough = asyncio.Event()
        self._open = 0
        self._none_open = asyncio.Event()
        self.bodies: list[bytes] = []

    async def __aenter__(self) -> Running:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return Running(host, port)

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._none_open.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                if len(self.bodies) >= self._hold:
                    self._enough.set()
                await self._enough.wait()
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        self._open -= 1
        if not self._open:
            self._none_open.set()


def test_an_open_loop_sends_on_while_nobody_is_answered() -> None:
    async def load() -> Tally:
        async with Server(hold=20) as server, asyncio.timeout(20):
            client = Client(server)
            tally = await open_loop(client, [b"{}"], per_second=2000, seconds=0.01)
            client.close()
            return tally

    assert asyncio.run(load()).statuses() == {200: 20}


def test_a_request_that_was_due_earlier_has_waited_since_then() -> None:
    async def ask() -> float:
        async with Server(hold=1) as server:
            client = Client(server)
            answer = await client.post("/v1/solve", b"{}", due_s=time.monotonic() - 100)
            client.close()
            return answer.seconds

    assert 100 <= asyncio.run(ask()) < 200


def test_wrk_sends_the_puzzles_in_turn(tmp_path: Path) -> None:
    try:
        need_wrk()
    except BenchError as error:
        pytest.skip(str(error))
    bodies = [b'{"grid": "1"}', b'{"grid": "2"}', b'{"grid": "3"}']
    script, server = tmp_path / "load.lua", Server(hold=1)
    write_script(script, "/v1/solve", bodies)

    async def load() -> Measurement:
        async with server as at:
            return await asyncio.to_thread(closed_loop, at.url, script, connections=1, seconds=1)

    seen = asyncio.run(load())
    assert set(seen.statuses) == {200}
    first = bodies.index(server.bodies[0])  # wrk takes one for itself
    assert server.bodies[:6] == (bodies * 3)[first : first + 6]
    assert 0 < seen.p50_ms <= seen.p95_ms <= seen.p99_ms
