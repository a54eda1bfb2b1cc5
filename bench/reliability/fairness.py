"""Ten thousand puzzles in batches, and single requests beside them that want an answer soon."""

import asyncio
import json
import time
from pathlib import Path

from bench.reliability.claims import Findings, at_most, exactly
from bench.reliability.http_client import Answer, Client, Tally
from bench.reliability.process import ServerProcess, served
from bench.reliability.questions import bodies, minimal_nines

BATCH = 250
SINGLES_PER_S = 4.0
SHARE = 0.1  # of the time that the batches take; first come, first served would be up to 1
ATTEMPTS = 4


def try_fairness(bundle: Path, *, puzzles: int) -> Findings:
    """All batches at once; singles come until the last batch is answered."""
    questions = [question | {"attempts": ATTEMPTS} for question in minimal_nines(BATCH)]
    batch = json.dumps({"items": questions}).encode()
    singles = bodies(minimal_nines(BATCH), attempts=1)
    with served(["--bundle", str(bundle), "--queue-limit", str(puzzles + 1000)]) as server:
        return asyncio.run(_fairness(server, batch, singles, puzzles // BATCH))


async def _fairness(
    server: ServerProcess, batch: bytes, singles: list[bytes], batches: int
) -> Findings:
    client, started_s = Client(server), time.monotonic()
    big = asyncio.gather(*(client.post("/v1/solve/batch", batch) for _ in range(batches)))
    await asyncio.sleep(1.0)  # the batches are in the queue by then
    tally = Tally()
    waiting: list[asyncio.Task[Answer]] = []
    while not big.done():
        waiting.append(asyncio.create_task(client.post("/v1/solve", singles[len(waiting) % BATCH])))
        await asyncio.sleep(1 / SINGLES_PER_S)
    batches_s = time.monotonic() - started_s
    tally.answers.extend(await asyncio.gather(*waiting))
    answers = await big
    client.close()
    p99_s = tally.latency_ms(99) / 1000
    return Findings(
        claims=[
            at_most("p99 of singles, of the time of the batches", p99_s / batches_s, SHARE),
            exactly("singles not answered", len(tally.answers) - len(tally.of(200)), 0),
            exactly("batches not answered", sum(answer.status != 200 for answer in answers), 0),
        ],
        facts={
            "puzzles in batches": batches * BATCH,
            "seconds for the batches": round(batches_s, 1),
            "singles": len(tally.answers),
            "p50, p99 of singles, ms": f"{tally.latency_ms(50):.0f}, {tally.latency_ms(99):.0f}",
        },
    )
