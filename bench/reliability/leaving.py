"""Clients that leave: a hundred thousand jobs in process, thousands over sockets; nothing stays."""

import asyncio
import json
import re
from pathlib import Path

from bench.reliability.claims import Findings, at_most, exactly
from bench.reliability.http_client import Client, encoded
from bench.reliability.process import ServerProcess, served
from bench.reliability.questions import minimal_nines

AT_ONCE = 100
GROWTH = 1.02
SETTLE_S = 10.0


def try_leaving(bundle: Path, *, requests: int) -> Findings:
    """Requests whose clients hang up at once, and the server's memory and slots afterwards.

    They ask for more than the server will ever do: only leaving frees their slots.
    """
    questions = [json.dumps(q | {"attempts": 256}).encode() for q in minimal_nines(200)]
    with served(["--bundle", str(bundle)]) as server:
        return asyncio.run(_leaving(server, questions, requests))


async def _leaving(server: ServerProcess, questions: list[bytes], requests: int) -> Findings:
    await _come_and_go(server, questions, requests // 10)
    before_mib = server.resident_mib()
    await _come_and_go(server, questions, requests)
    client = Client(server)
    left = await _left(client)
    outcomes = re.findall(r'requests_total\{outcome="client_gone"\} (\S+)', await _page(client))
    answer = await client.post("/v1/solve", questions[0])
    client.close()
    after_mib = server.resident_mib()
    return Findings(
        claims=[
            exactly("puzzles left in queue and slots", left, 0),
            at_most("memory after, of that before", after_mib / before_mib, GROWTH),
            exactly("the next request", answer.status, 200),
        ],
        facts={
            "requests": requests,
            "counted as client_gone": ", ".join(outcomes),
            "memory, MiB": f"{before_mib:.1f}, then {after_mib:.1f}",
        },
    )


async def _come_and_go(server: ServerProcess, questions: list[bytes], requests: int) -> None:
    async def one(number: int) -> None:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(encoded("/v1/solve", questions[number % len(questions)]))
        await writer.drain()
        await asyncio.sleep(0.005 * (number % 10))  # some leave a queue, some a slot
        writer.transport.abort()

    for start in range(0, requests, AT_ONCE):
        await asyncio.gather(*(one(n) for n in range(start, min(start + AT_ONCE, requests))))


async def _left(client: Client) -> int:
    """Puzzles in queue and slots once there are none, or after some seconds."""
    left = -1
    for _ in range(int(10 * SETTLE_S)):
        page = await _page(client)
        found = re.findall(r"^ponder_(?:queue_depth|slots_active)\{.*\} (\S+)$", page, re.MULTILINE)
        left = int(sum(map(float, found)))
        if not left:
            break
        await asyncio.sleep(0.1)
    return left


async def _page(client: Client) -> str:
    return (await client.get("/metrics")).body.decode()
