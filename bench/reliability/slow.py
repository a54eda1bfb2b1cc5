"""Clients that trickle: heads, bodies, and bodies that are far too large."""

import asyncio
import time
from pathlib import Path

from bench.reliability.claims import Findings, at_most, exactly
from bench.reliability.http_client import Client, encoded, open_loop
from bench.reliability.process import ServerProcess, served
from bench.reliability.questions import bodies, minimal_nines

RECEIVE_S = 3.0
GRACE_S = 2.0  # a sweep every second, and some for the machine
TRICKLE_S = 0.5
HUGE = 50 * 2**20
SINGLES_PER_S = 5.0
MUCH_SLOWER = 3.0


def try_slow_clients(bundle: Path, *, connections: int) -> Findings:
    """So many tricklers, a third of them in the body, a third silent; others are served on."""
    sent = bodies(minimal_nines(100), attempts=1)
    flags = ["--bundle", str(bundle), "--receive-seconds", str(RECEIVE_S)]
    with served(flags) as server:
        return asyncio.run(_slow_clients(server, sent, connections))


async def _slow_clients(server: ServerProcess, sent: list[bytes], connections: int) -> Findings:
    client = Client(server)
    quiet = await open_loop(client, sent, per_second=SINGLES_PER_S, seconds=5)
    kinds = (_silent, _slow_head, _slow_body)
    tricklers = [asyncio.create_task(kinds[i % 3](server)) for i in range(connections)]
    beside = await open_loop(client, sent, per_second=SINGLES_PER_S, seconds=RECEIVE_S + GRACE_S)
    lived = await asyncio.gather(*tricklers)
    huge_s, huge_status = await _huge_body(server)
    after = await client.post("/v1/solve", sent[0])
    client.close()
    return Findings(
        claims=[
            at_most(
                f"the longest of {connections} tricklers", max(lived), RECEIVE_S + GRACE_S, "s"
            ),
            exactly(
                "others meanwhile, not answered", beside.statuses().total() - len(beside.of(200)), 0
            ),
            at_most(
                "their median, of that before",
                beside.latency_ms(50) / quiet.latency_ms(50),
                MUCH_SLOWER,
            ),
            exactly("50 MB: status", huge_status, 413),
            at_most("50 MB: time to the answer", huge_s, 1.0, "s"),
            exactly("the next request", after.status, 200),
        ],
        facts={"connections": connections, "receive seconds": RECEIVE_S},
    )


async def _silent(server: ServerProcess) -> float:
    return await _trickle(server, b"", b"")


async def _slow_head(server: ServerProcess) -> float:
    return await _trickle(server, b"POST /v1/solve HTTP/1.1\r\n", b"X-Slow: 1\r\n")


async def _slow_body(server: ServerProcess) -> float:
    return await _trickle(server, encoded("/v1/solve", b" " * 10_000)[:-10_000], b" ")


async def _trickle(server: ServerProcess, first: bytes, then: bytes) -> float:
    """Send a little every now and then until the server has enough; how long that took."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    started_s = time.monotonic()
    writer.write(first)
    closed = asyncio.create_task(reader.read())
    while not closed.done() and time.monotonic() - started_s < 10 * RECEIVE_S:
        writer.write(then)
        await asyncio.wait([closed], timeout=TRICKLE_S)
    writer.close()
    closed.cancel()
    return time.monotonic() - started_s


async def _huge_body(server: ServerProcess) -> tuple[float, int]:
    """Time to the status of a body of 50 MB, of which a megabyte is sent."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    started_s = time.monotonic()
    head = encoded("/v1/solve", b"").replace(b"Content-Length: 0", b"Content-Length: %d" % HUGE)
    writer.write(head + b" " * 2**20)
    line = await asyncio.wait_for(reader.readline(), 10 * RECEIVE_S)
    writer.close()
    return time.monotonic() - started_s, int(line.split()[1])
