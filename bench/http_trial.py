"""One contender of `bench http`: its answers checked, then load after load; and without HTTP."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import final

import numpy as np
import uvloop

from bench.http_contenders import Contender, Running
from bench.http_load import (
    BATCH,
    PERCENTILES,
    SINGLE,
    Measurement,
    batches_of,
    closed_loop,
    request_bodies,
    write_script,
)
from bench.reliability.http_client import Client, open_loop
from bench.report import BenchError
from bench.solvers import InFlight, Setup, questions_of, solve_in_flight
from puzzles.kind import Verdict
from server.policy import Budget
from training.evaluation_data import EvaluationData

OPEN_SHARE = 0.5  # of the saturated rate, in the open loop
AT_ONCE = 16  # requests in flight while answers are checked; connections of the warm-up
MOST_WAITING = 256  # puzzles in batch requests at once, a quarter of what a server's queue takes
WARM_UP_S = 1
SINGLE_LOAD = "single"
BATCH_TIMES = 2  # as long: few large batches end within the time of many single puzzles


@dataclass(frozen=True)
class HttpOptions:
    """connections: of closed loops; batches: items of batch requests; seconds: of a load."""

    connections: tuple[int, ...]
    batches: tuple[int, ...]
    seconds: int
    rounds: int


@dataclass(frozen=True)
class Load:
    """One kind of load; puzzles: in a request; connections: 0 where there is no fixed number."""

    name: str
    connections: int
    puzzles: int = 1


AT_RATE = Load(f"single, {OPEN_SHARE:.0%} of its most", 0)
ONE_BY_ONE, SATURATED = Load("one by one", 0), Load("slots full", 0)  # without HTTP


def single(connections: int) -> Load:
    """A closed loop of requests with one puzzle."""
    return Load(SINGLE_LOAD, connections)


@dataclass(frozen=True)
class Outcome:
    """A round of a contender. verified: share of the puzzles whose answer the rules accept."""

    verified: float
    loads: dict[Load, Measurement]


@final
class Trial:
    """A contender and a set of puzzles; each `run` starts a server of its own."""

    def __init__(
        self, contender: Contender, data: EvaluationData, options: HttpOptions, directory: Path
    ) -> None:
        """directory: for the load generator's scripts."""
        self._contender = contender
        self._data = data
        self._options = options
        self._directory = directory
        self._bodies = request_bodies(data)
        self._verified: float | None = None  # answers are checked in the first round

    def run(self) -> Outcome:
        """Start it, check its answers, put load on it, stop it. Raises: BenchError, TrialError."""
        options = self._options
        with self._contender.running() as server:
            if self._verified is None:
                self._verified = uvloop.run(verified_share(server, self._data, self._bodies))
            self._closed(server, single(AT_ONCE), WARM_UP_S)
            loads = map(single, options.connections)
            found = {load: self._closed(server, load, options.seconds) for load in loads}
            per_second = OPEN_SHARE * max(one.per_second for one in found.values())
            found[AT_RATE] = uvloop.run(at_rate(server, self._bodies, per_second, options.seconds))
            for size in options.batches if self._contender.takes_batches else ():
                load = Load(f"batch of {size}", min(AT_ONCE, max(1, MOST_WAITING // size)), size)
                found[load] = self._closed(server, load, BATCH_TIMES * options.seconds)
        return Outcome(self._verified, found)

    def _closed(self, server: Running, load: Load, seconds: int) -> Measurement:
        script = self._directory / "load.lua"
        if load.name == SINGLE_LOAD:
            write_script(script, SINGLE, self._bodies)
        else:
            write_script(script, BATCH, batches_of(self._bodies, load.puzzles))
        seen = closed_loop(server.url, script, connections=load.connections, seconds=seconds)
        uvloop.run(_until_quiet(server, self._bodies[0]))
        return seen


async def verified_share(server: Running, data: EvaluationData, bodies: Sequence[bytes]) -> float:
    """Share of the puzzles whose answer the rules accept; every puzzle is asked once.

    Raises: BenchError if one has no answer.
    """
    client, room = Client(server), asyncio.Semaphore(AT_ONCE)

    async def one(body: bytes) -> object:
        async with room:
            answer = await client.post(SINGLE, body)
        if answer.status != 200:
            raise BenchError(f"{server.url}: {answer.status} {answer.body[:200]!r}")
        return answer.json["solution"]

    solutions = await asyncio.gather(*(one(body) for body in bodies))
    client.close()
    kind = data.kind
    right = [
        isinstance(solution, list) and kind.verify(question, kind.parse(solution)) is Verdict.solved
        for question, solution in zip(questions_of(data), solutions, strict=True)
    ]
    return sum(right) / len(right)


async def at_rate(
    server: Running, bodies: Sequence[bytes], per_second: float, seconds: float
) -> Measurement:
    """Requests at a constant rate; times count from when each was due."""
    client = Client(server)
    tally = await open_loop(client, bodies, per_second=per_second, seconds=seconds)
    client.close()
    return Measurement.of(tally, seconds)


async def _until_quiet(server: Running, body: bytes) -> None:
    """Wait for what a load left behind: servers may work for clients that have gone."""
    client = Client(server)
    await client.post(SINGLE, body)
    client.close()


def without_http(
    setup: Setup, data: EvaluationData, budget: Budget, options: HttpOptions
) -> Outcome:
    """The server's scheduler and engine alone: one puzzle after the other, then all slots full."""
    tally = solve_in_flight(setup, data, budget)
    return Outcome(
        tally.verified / tally.puzzles,
        {
            ONE_BY_ONE: _one_by_one(setup, data, budget, options.seconds),
            SATURATED: _saturated(setup, data, budget, options.seconds),
        },
    )


def _one_by_one(setup: Setup, data: EvaluationData, budget: Budget, seconds: float) -> Measurement:
    in_flight, times = InFlight(setup, budget, queue_limit=1), []
    until_s, coming = time.perf_counter() + seconds, cycle(questions_of(data))
    while time.perf_counter() < until_s:
        began_s = time.perf_counter()
        in_flight.submit(next(coming))
        while not in_flight.idle:
            in_flight.advance()
        times.append(1000 * (time.perf_counter() - began_s))
    return Measurement(
        sum(times) / 1000,
        {200: len(times)},
        *(float(np.percentile(times, at)) for at in PERCENTILES),
    )


def _saturated(setup: Setup, data: EvaluationData, budget: Budget, seconds: float) -> Measurement:
    """A puzzle comes for each that leaves; counted once every slot has had one that left."""
    waiting = 2 * setup.slots
    in_flight, coming = InFlight(setup, budget, queue_limit=waiting), cycle(questions_of(data))
    for _ in range(waiting):
        in_flight.submit(next(coming))
    left, counted_from_s, times = 0, None, []
    while counted_from_s is None or time.perf_counter() - counted_from_s < seconds:
        for job, _ in in_flight.advance():
            in_flight.submit(next(coming))
            left += 1
            if counted_from_s is not None:
                times.append(1000 * (time.monotonic() - job.arrived_s))
        if counted_from_s is None and left >= setup.slots:
            counted_from_s = time.perf_counter()
    took_s = time.perf_counter() - counted_from_s
    return Measurement(
        took_s, {200: len(times)}, *(float(np.percentile(times, at)) for at in PERCENTILES)
    )
