"""Ten times as many requests as can be solved: what is solved, and how the rest is told."""

import asyncio
from pathlib import Path

import uvloop

from bench.reliability.claims import Claim, Findings, at_least, at_most, exactly
from bench.reliability.http_client import Client, Tally, closed_loop, open_loop
from bench.reliability.process import ServerProcess, served
from bench.reliability.questions import bodies, filed, minimal_nines

OVERLOAD = 10.0
CLIENTS_AT_PEAK = 128
REFUSED_MS = 50.0
COMEBACK = 20  # clients that come back as they were told


def try_overload(bundle: Path, *, seconds: float, data: Path | None = None) -> Findings:
    """Peak by a closed loop, then ten times that, then some come back after `Retry-After`.

    data: puzzles to send, as `ponder evaluate` reads them; minimal 9×9 ones if unset.
    """
    sent = bodies(minimal_nines(500) if data is None else filed(data, 500))
    with served(["--bundle", str(bundle), "--queue-limit", "256"]) as server:
        return uvloop.run(_overload(server, sent, seconds))


async def _overload(server: ServerProcess, sent: list[bytes], seconds: float) -> Findings:
    client = Client(server)
    await closed_loop(client, sent, clients=CLIENTS_AT_PEAK, seconds=seconds / 6)
    peak = _rate(await closed_loop(client, sent, clients=CLIENTS_AT_PEAK, seconds=seconds / 2))
    back: list[int] = []
    load = asyncio.create_task(open_loop(client, sent, per_second=OVERLOAD * peak, seconds=seconds))
    tally = await load
    back = await _come_back(client, sent, tally)
    client.close()
    answered = _rate(tally, within_s=seconds)
    return Findings(
        claims=_claims(tally, back, answered / peak),
        facts={
            "peak, puzzles/s": round(peak, 1),
            "offered, requests/s": round(OVERLOAD * peak, 1),
            "answered under overload, puzzles/s": round(answered, 1),
            "answers": str(dict(sorted(tally.statuses().items()))),
            "p50 of 429, ms": round(tally.latency_ms(50, 429), 2),
            "p99 of 200, ms": round(tally.latency_ms(99), 1),
        },
    )


def _claims(tally: Tally, back: list[int], goodput: float) -> list[Claim]:
    statuses = tally.statuses()
    others = statuses.total() - statuses[200] - statuses[429]
    untold = [a for a in tally.of(429) if int(a.headers.get("retry-after", 0)) < 1]
    return [
        at_least("goodput under ten times the load, of peak", goodput, 0.9),
        exactly("answers other than 200 and 429, or none", others, 0),
        at_most("a refusal, p99", tally.latency_ms(99, 429), REFUSED_MS, "ms"),
        exactly("refusals that do not say when to come back", len(untold), 0),
        exactly("who came back when told, and got in", back.count(200), COMEBACK),
    ]


async def _come_back(client: Client, sent: list[bytes], tally: Tally) -> list[int]:
    """Statuses of clients that wait as long as the last refusals say."""
    refused = tally.of(429)[-COMEBACK:]
    wait_s = max((int(answer.headers["retry-after"]) for answer in refused), default=0)
    await asyncio.sleep(wait_s)
    answers = await asyncio.gather(
        *(client.post("/v1/solve", sent[i % len(sent)]) for i in range(COMEBACK))
    )
    return [answer.status for answer in answers]


def _rate(tally: Tally, within_s: float | None = None) -> float:
    """Answers 200 per second, from the first request to the last answer or so long."""
    first_s = min(answer.sent_s for answer in tally.answers)
    ends = sorted(answer.sent_s + answer.seconds - first_s for answer in tally.of(200))
    span_s = ends[-1] if within_s is None else within_s
    return sum(end <= span_s for end in ends) / span_s
