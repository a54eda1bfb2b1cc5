"""Half an hour at 80 % of what the server can do: memory and latency stay where they are."""

import asyncio
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bench.reliability.claims import Findings, at_most, exactly
from bench.reliability.http_client import Client, Tally, closed_loop, open_loop
from bench.reliability.process import ServerProcess, served
from bench.reliability.questions import bodies, minimal_nines

LOAD = 0.8
GROWTH = 1.02
FLAT = 1.25  # a p99 scatters by about as much from one third to the next
CLIENTS_AT_PEAK = 128
SAMPLES = 60  # points of the plot

Memory = list[tuple[float, float]]  # seconds, MiB


def try_soak(bundle: Path, *, minutes: float, plot: Path) -> Findings:
    """Peak by a closed loop for a fifteenth of the time, then the load; draws `plot`."""
    sent = bodies(minimal_nines(2000))
    with served(["--bundle", str(bundle)]) as server:
        return asyncio.run(_soak(server, sent, 60 * minutes, plot))


async def _soak(server: ServerProcess, sent: list[bytes], seconds: float, plot: Path) -> Findings:
    client = Client(server)
    warm_s = max(5.0, seconds / 15)
    await closed_loop(client, sent, clients=CLIENTS_AT_PEAK, seconds=warm_s / 4)
    peak = _rate(await closed_loop(client, sent, clients=CLIENTS_AT_PEAK, seconds=warm_s))
    memory: Memory = []
    watch = asyncio.create_task(_watch(server, memory))
    started_s = time.monotonic()
    tally = await open_loop(client, sent, per_second=LOAD * peak, seconds=seconds)
    watch.cancel()
    client.close()
    mib = np.array([sample for _, sample in memory])
    first, _, last = _thirds(tally, started_s, seconds)
    third = len(mib) // 3
    _draw(plot, tally, memory, started_s, seconds)
    return Findings(
        claims=[
            at_most(
                "memory, last third of first", mib[-third:].mean() / mib[:third].mean(), GROWTH
            ),
            at_most("p99, last third of first", last.latency_ms(99) / first.latency_ms(99), FLAT),
            exactly("not answered with 200", len(tally.answers) - len(tally.of(200)), 0),
        ],
        facts={
            "peak, puzzles/s": round(peak, 1),
            "load, requests/s": round(LOAD * peak, 1),
            "requests": len(tally.answers),
            "p50, p99, ms": f"{tally.latency_ms(50):.0f}, {tally.latency_ms(99):.0f}",
            "memory, MiB": f"{mib[0]:.1f}, then {mib[-1]:.1f}",
            "plot": str(plot),
        },
    )


async def _watch(server: ServerProcess, memory: Memory) -> None:
    while True:
        memory.append((time.monotonic(), server.resident_mib()))
        await asyncio.sleep(1.0)


def _rate(tally: Tally) -> float:
    ends = [answer.sent_s + answer.seconds for answer in tally.of(200)]
    return len(ends) / (max(ends) - min(answer.sent_s for answer in tally.answers))


def _thirds(tally: Tally, started_s: float, seconds: float, parts: int = 3) -> list[Tally]:
    """Answers by when they were asked for."""
    split = [Tally() for _ in range(parts)]
    for answer in tally.answers:
        part = int(parts * (answer.sent_s - started_s) / seconds)
        split[min(part, parts - 1)].answers.append(answer)
    return split


def _draw(plot: Path, tally: Tally, memory: Memory, started_s: float, seconds: float) -> None:
    """Memory, p50 and p99, and rate over time."""
    parts = _thirds(tally, started_s, seconds, SAMPLES)
    minutes = (np.arange(SAMPLES) + 0.5) * seconds / SAMPLES / 60
    with mpl.rc_context({"axes.grid": True, "axes.spines.right": False, "axes.spines.top": False}):
        figure = Figure(figsize=(8, 7), layout="constrained")
        rss, latency, rate = figure.subplots(3, sharex=True)
    rss.plot([(s - started_s) / 60 for s, _ in memory], [mib for _, mib in memory])
    rss.set(ylabel="memory, MiB", ylim=(0, None))
    for percentile in (50, 99):
        values = [part.latency_ms(percentile) for part in parts]
        latency.plot(minutes, values, label=f"p{percentile}")
    latency.set(ylabel="latency, ms", ylim=(0, None))
    latency.legend()
    rate.plot(minutes, [len(part.of(200)) * SAMPLES / seconds for part in parts])
    rate.set(ylabel="answers/s", xlabel="minutes", ylim=(0, None))
    figure.savefig(plot, dpi=120)
