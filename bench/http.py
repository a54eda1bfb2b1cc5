"""`ponder bench http`: the running server and what one would use instead, under the same load."""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import uvloop

from bench.http_contenders import Contender, Running
from bench.http_load import Closed, closed_loop, need_wrk, write_script
from bench.reliability.http_client import Client, open_loop
from bench.report import Chart, Figure, Report, Row, Setting, this_machine
from bench.rounds import interleaved
from bench.solvers import InFlight, Setup, questions_of, solve_in_flight
from puzzles.kind import Verdict
from server.policy import Budget
from training.evaluation_data import EvaluationData

SINGLE, BATCH = "/v1/solve", "/v1/solve/batch"
OPEN_SHARE = 0.5  # of the saturated rate, in the open loop
AT_ONCE = 32  # requests in flight while answers are checked
IN_PROCESS = "in process, no HTTP"
CHARTS = (
    Chart(x="connections", y="goodput", series="contender", panel="puzzles"),
    Chart(x="connections", y="p99", series="contender", panel="puzzles"),
)


@dataclass(frozen=True)
class HttpOptions:
    """budget: what a puzzle may cost where contenders are to do the same.

    connections: of closed loops; batches: items of batch requests, from 16 connections.
    """

    budget: Budget
    connections: tuple[int, ...]
    batches: tuple[int, ...]
    seconds: float
    rounds: int
    warmup_s: float = 1.0


@dataclass(frozen=True)
class Load:
    """One kind of load. connections: None for an open loop."""

    endpoint: str
    connections: int | None
    puzzles: int = 1  # in a request


@dataclass(frozen=True)
class Measurement:
    """One load in one round; `puzzles_s` counts those in requests that were answered well."""

    puzzles_s: float
    bad: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def bench_http(
    setup: Setup,
    sets: Sequence[EvaluationData],
    contenders: Sequence[Contender],
    options: HttpOptions,
    settings: dict[str, Setting],
    command: str,
    say: Callable[[str], None],
) -> Report:
    """Every contender with every set of puzzles, in turns.

    setup: what the server's own engine does without HTTP, on the same cores. Raises: BenchError.
    """
    need_wrk()
    rows: list[Row] = []
    for data in sets:
        rows += _measure(setup, data, contenders, options, say)
    return Report(
        benchmark="http",
        command=command,
        machine=this_machine(packages=("onnxruntime", "fastapi", "uvicorn", "litserve")),
        settings={
            **settings,
            "seconds": options.seconds,
            "rounds": options.rounds,
            "open loop": f"{OPEN_SHARE:.0%} of the saturated rate",
        },
        rows=tuple(rows),
        charts=CHARTS,
    )


def _measure(
    setup: Setup,
    data: EvaluationData,
    contenders: Sequence[Contender],
    options: HttpOptions,
    say: Callable[[str], None],
) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        trials = {one.name: Trial(one, data, options, Path(directory)) for one in contenders}
        runs: dict[str, Callable[[], dict[Load, Measurement]]] = {
            IN_PROCESS: lambda: in_process(setup, data, options)
        }
        runs |= {name: trial.run for name, trial in trials.items()}
        found = interleaved(
            runs,
            rounds=options.rounds,
            on_run=lambda name, round_: say(
                f"{data.name}: {name}, round {round_} of {options.rounds}"
            ),
        )
    rows = []
    for name, rounds in found.items():
        verified = trials[name].verified if name in trials else 1.0
        for load in rounds[0]:
            labels = {
                "puzzles": data.name,
                "contender": name,
                "load": load.endpoint,
                "connections": load.connections or 0,
            }
            figures = _figures([one[load] for one in rounds], verified)
            rows.append(Row(labels=labels, figures=figures))
    return rows


def _figures(rounds: Sequence[Measurement], verified: float) -> dict[str, Figure]:
    return {
        "rate": Figure.of((one.puzzles_s for one in rounds), "puzzles/s"),
        "verified": Figure.of((verified,), "share"),
        "goodput": Figure.of((verified * one.puzzles_s for one in rounds), "verified/s"),
        "p50": Figure.of((one.p50_ms for one in rounds), "ms"),
        "p95": Figure.of((one.p95_ms for one in rounds), "ms"),
        "p99": Figure.of((one.p99_ms for one in rounds), "ms"),
        "failed": Figure.of((float(one.bad) for one in rounds), "requests"),
    }


@final
class Trial:
    """One contender and one set of puzzles; each `run` starts it anew."""

    def __init__(
        self, contender: Contender, data: EvaluationData, options: HttpOptions, directory: Path
    ) -> None:
        self._contender = contender
        self._data = data
        self._options = options
        self._directory = directory
        self._bodies = request_bodies(data)
        self.verified = 0.0  # share of the puzzles, by the rules; after the first run

    def run(self) -> dict[Load, Measurement]:
        """Start it, check its answers, put load on it, stop it. Raises: BenchError."""
        options, found = self._options, {}
        with self._contender.running() as server:
            self.verified = uvloop.run(_verified(server, self._data, self._bodies))
            self._closed(server, Load("single", 16), options.warmup_s)
            for connections in options.connections:
                load = Load("single", connections)
                found[load] = self._closed(server, load, options.seconds)
            saturated = max(one.puzzles_s for one in found.values())
            rate = OPEN_SHARE * saturated
            found[Load("open loop", None)] = uvloop.run(
                _open(server, self._bodies, rate, options.seconds)
            )
            if self._contender.takes_batches:
                for size in options.batches:
                    load = Load(f"batch of {size}", 16, size)
                    found[load] = self._closed(server, load, options.seconds)
        return found

    def _closed(self, server: Running, load: Load, seconds: float) -> Measurement:
        single = load.puzzles == 1
        bodies = self._bodies if single else batches_of(self._bodies, load.puzzles)
        script = self._directory / f"{load.puzzles}.lua"
        write_script(script, SINGLE if single else BATCH, bodies)
        done = closed_loop(server.url, script, connections=load.connections or 1, seconds=seconds)
        return _of_closed(done, load.puzzles)


def _of_closed(done: Closed, puzzles: int) -> Measurement:
    return Measurement(puzzles * done.per_second, done.bad, done.p50_ms, done.p95_ms, done.p99_ms)


def request_bodies(data: EvaluationData) -> list[bytes]:
    """A request for every puzzle."""
    return [
        json.dumps({"kind": data.kind.spec.kind, "grid": data.kind.format(question)}).encode()
        for question in questions_of(data)
    ]


def batches_of(bodies: Sequence[bytes], size: int) -> list[bytes]:
    """Batch requests of so many puzzles, each puzzle in as many as any other."""
    repeated = [bodies[i % len(bodies)] for i in range(max(size, len(bodies) // size * size))]
    return [
        b'{"items": [' + b", ".join(repeated[first : first + size]) + b"]}"
        for first in range(0, len(repeated), size)
    ]


async def _verified(server: Running, data: EvaluationData, bodies: Sequence[bytes]) -> float:
    """Share of the puzzles whose answer the rules accept; every puzzle is asked once."""
    client, room = Client(server), asyncio.Semaphore(AT_ONCE)

    async def one(body: bytes) -> object:
        async with room:
            answer = await client.post(SINGLE, body)
        return answer.json["solution"] if answer.status == 200 else None

    found = await asyncio.gather(*(one(body) for body in bodies))
    client.close()
    right = [
        isinstance(solution, list)
        and data.kind.verify(question, data.kind.parse(solution)) is Verdict.solved
        for question, solution in zip(questions_of(data), found, strict=True)
    ]
    return sum(right) / len(right)


async def _open(
    server: Running, bodies: Sequence[bytes], per_second: float, seconds: float
) -> Measurement:
    client = Client(server)
    tally = await open_loop(client, bodies, per_second=per_second, seconds=seconds)
    client.close()
    answered = tally.of(200)
    return Measurement(
        len(answered) / seconds,
        len(tally.answers) - len(answered),
        *(tally.latency_ms(percentile) for percentile in (50, 95, 99)),
    )


def in_process(setup: Setup, data: EvaluationData, options: HttpOptions) -> dict[Load, Measurement]:
    """The server's scheduler and engine: one puzzle after the other, and all at once."""
    seconds = []
    for question in questions_of(data):
        alone = InFlight(setup, options.budget, queue_limit=1)
        began_s = time.perf_counter()
        alone.submit(question)
        while not alone.idle:
            alone.advance()
        seconds.append(time.perf_counter() - began_s)
    times = sorted(1000 * one for one in seconds)
    at = [times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.95, 0.99)]
    tally = solve_in_flight(setup, data, options.budget)
    rate = tally.puzzles / tally.seconds
    return {
        Load("one by one", 1): Measurement(len(seconds) / sum(seconds), 0, *at),
        Load("all at once", len(data)): Measurement(rate, 0, *[1000 * tally.seconds] * 3),
    }
