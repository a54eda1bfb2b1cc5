"""`ponder bench engine --waiting`: does a long queue cost anything, in time or memory?"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

from bench.report import Chart, Figure, Report, Row, Setting, this_machine
from bench.rounds import interleaved
from bench.solvers import InFlight, Setup, questions_of
from server.policy import Budget
from training.evaluation_data import EvaluationData

MIB = 2**20
CHARTS = (
    Chart(x="waiting", y="puzzles", series="data"),
    Chart(x="waiting", y="resident", series="data"),
)


@dataclass(frozen=True)
class Grown:
    """A round with a queue of constant length."""

    puzzles: int
    row_steps: int
    calls: int
    seconds: float
    outside_s: float
    resident_bytes: int | None


def bench_growth(
    setup: Setup,
    sets: Sequence[EvaluationData],
    waiting: Sequence[int],
    budget: Budget,
    rounds: int,
    settings: Mapping[str, Setting],
    command: str,
    say: Callable[[str], None],
) -> Report:
    """Each queue length in turns, over the same puzzles; `say` is told what runs."""
    rows = []
    for data in sets:
        say(f"{data.name}: warm-up")
        with_queue(setup, data, max(waiting), budget)
        runs = {str(length): partial(with_queue, setup, data, length, budget) for length in waiting}
        results = interleaved(
            runs,
            rounds=rounds,
            on_run=lambda name, round_, data=data: say(  # type: ignore[misc]
                f"{data.name}: {name} waiting, round {round_} of {rounds}"
            ),
        )
        shortest = results[str(waiting[0])]
        for length in waiting:
            labels = {"data": data.name, "waiting": length}
            rows.append(Row(labels=labels, figures=_figures(results[str(length)], shortest)))
    return Report(
        benchmark="engine --waiting",
        command=command,
        machine=this_machine(),
        settings={**settings, "slots": setup.slots, "rounds": rounds},
        rows=tuple(rows),
        charts=CHARTS,
    )


def with_queue(setup: Setup, data: EvaluationData, waiting: int, budget: Budget) -> Grown:
    """Solve `len(data)` puzzles while that many wait: for each that leaves another one comes."""
    in_flight = InFlight(setup, budget, queue_limit=waiting + setup.slots)
    coming = cycle(questions_of(data))
    for _ in range(waiting + setup.slots):
        in_flight.submit(next(coming))
    setup.engine.restart()
    begun, left, submitting_s = time.perf_counter(), 0, 0.0
    while left < len(data):
        departed = len(in_flight.advance())
        left += departed
        submitted_from = time.perf_counter()
        for _ in range(departed):
            in_flight.submit(next(coming))
        submitting_s += time.perf_counter() - submitted_from
    seconds = time.perf_counter() - begun - submitting_s
    engine = setup.engine
    outside_s = seconds - engine.seconds
    return Grown(left, engine.rows, engine.calls, seconds, outside_s, resident_bytes())


def resident_bytes() -> int | None:
    """Memory of this process that is in RAM; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _figures(own: Sequence[Grown], shortest: Sequence[Grown]) -> dict[str, Figure]:
    speeds = [one.puzzles / one.seconds for one in own]
    base = [one.puzzles / one.seconds for one in shortest]
    figures = {
        "puzzles": Figure.of(speeds, "1/s"),
        "of the shortest queue's": Figure.of(
            (a / b for a, b in zip(speeds, base, strict=True)), "share"
        ),
        "puzzle-steps": Figure.of((one.row_steps / one.seconds for one in own), "1/s"),
        "outside": Figure.of((one.outside_s / one.seconds for one in own), "share"),
        "outside a step": Figure.of((1e3 * one.outside_s / one.calls for one in own), "ms"),
    }
    resident = [one.resident_bytes / MIB for one in own if one.resident_bytes is not None]
    if resident:
        figures["resident"] = Figure.of(resident, "MiB")
    return figures
