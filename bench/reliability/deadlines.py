"""Deadlines under load: nobody is answered later than one supervision step after his."""

import asyncio
import re
from pathlib import Path

from bench.reliability.claims import Findings, at_least, at_most, exactly
from bench.reliability.http_client import Client
from bench.reliability.process import ServerProcess, served
from bench.reliability.questions import bodies, minimal_nines

DEADLINE_MS = 300
REQUESTS = 600  # at once: many more than there are slots, so that some never get one


def try_deadlines(bundle: Path) -> Findings:
    """More hard puzzles at once than can be solved by then."""
    sent = bodies(minimal_nines(REQUESTS), attempts=256, deadline_ms=DEADLINE_MS)
    with served(["--bundle", str(bundle)]) as server:
        return asyncio.run(_deadlines(server, sent))


async def _deadlines(server: ServerProcess, sent: list[bytes]) -> Findings:
    client = Client(server)
    answers = await asyncio.gather(*(client.post("/v1/solve", body) for body in sent))
    page = (await client.get("/metrics")).body.decode()
    client.close()
    results = [answer.json for answer in answers if answer.status == 200]
    late_ms = [
        result["timing"]["queue_ms"] + result["timing"]["compute_ms"] - DEADLINE_MS
        for result in results
    ]
    ended = [result["stopped_by"] for result in results]
    return Findings(
        claims=[
            exactly("not answered", len(sent) - len(results), 0),
            at_least("ended by the deadline", ended.count("deadline"), 1),
            at_most("the latest, after his deadline", max(late_ms), _slowest_step_ms(page), "ms"),
        ],
        facts={"answers": str({reason: ended.count(reason) for reason in sorted(set(ended))})},
    )


def _slowest_step_ms(page: str) -> float:
    """An upper bound of all supervision steps: the first bucket that holds every one."""
    found = re.findall(
        r'^ponder_step_seconds_bucket\{.*le="([^"]+)",puzzle="sudoku-9x9"\} (\S+)$'
        r'|^ponder_step_seconds_bucket\{.*puzzle="sudoku-9x9",le="([^"]+)"\} (\S+)$',
        page,
        re.MULTILINE,
    )
    buckets = sorted((float(a or c), float(b or d)) for a, b, c, d in found)
    return 1000 * min(bound for bound, count in buckets if count == buckets[-1][1])
