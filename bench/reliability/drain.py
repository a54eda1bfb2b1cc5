"""SIGTERM in the middle of a load: whoever was accepted is answered, then the process ends."""

import asyncio
import time
from pathlib import Path

from bench.reliability.claims import Findings, at_most, exactly
from bench.reliability.http_client import Answer, Client
from bench.reliability.process import ServerProcess, served
from bench.reliability.questions import bodies, minimal_nines

DRAIN_S = 20.0
GRACE_S = 2.0
ACCEPTED = 200  # requests in work and waiting when the signal comes


def try_drain(bundle: Path) -> Findings:
    """Two hundred hard puzzles are on their way when the signal comes."""
    sent = bodies(minimal_nines(ACCEPTED))
    flags = ["--bundle", str(bundle), "--drain-seconds", str(DRAIN_S)]
    with served(flags) as server:
        return asyncio.run(_drain(server, sent))


async def _drain(server: ServerProcess, sent: list[bytes]) -> Findings:
    client = Client(server)
    await client.post("/v1/solve", sent[0])
    accepted = [asyncio.create_task(client.post("/v1/solve", body)) for body in sent]
    await _until_accepted(client, len(sent))
    server.terminate()
    signalled_s = time.monotonic()
    unready_s, first_missed_s, late = await _watch(server, sent[0])
    answers = await asyncio.gather(*accepted)
    status = await asyncio.to_thread(server.ended, DRAIN_S + GRACE_S)
    ended_s = time.monotonic() - signalled_s
    unanswered = [answer.status for answer in answers if answer.status != 200]
    return Findings(
        claims=[
            exactly(f"of {len(sent)} accepted, not answered with 200", unanswered, []),
            at_most("readiness is false after", unready_s - signalled_s, 1.0, "s"),
            exactly("… while connections were still taken", unready_s < first_missed_s, True),
            exactly("newcomers get", sorted({a.status for a in late if a.status}), [503]),
            exactly("exit status", status, 0),
            at_most("from the signal to the end", ended_s, DRAIN_S + GRACE_S, "s"),
        ],
        facts={"newcomers": len(late)},
    )


async def _until_accepted(client: Client, count: int) -> None:
    for _ in range(200):
        page = (await client.get("/metrics")).body.decode()
        here = sum(
            float(line.split()[-1])
            for line in page.splitlines()
            if line.startswith(("ponder_queue_depth{", "ponder_slots_active{"))
        )
        if here >= count / 2:  # some may be solved by now
            return
        await asyncio.sleep(0.01)


async def _watch(server: ServerProcess, body: bytes) -> tuple[float, float, list[Answer]]:
    """When readiness turned false, when connections ended, what newcomers got between the two."""
    client = Client(server)
    late: list[Answer] = []
    unready_s = float("inf")
    while True:
        ready = await client.get("/readyz")
        if not ready.status:
            return unready_s, ready.sent_s, late
        if ready.status == 503:
            unready_s = min(unready_s, ready.sent_s)
            late.append(await client.post("/v1/solve", body))
        await asyncio.sleep(0.05)
