"""`ponder bench engine`: puzzles per second, in flight and in static batches, one engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.engines import Place
from bench.report import Chart, Figure, Report, Row, Setting, this_machine
from bench.rounds import interleaved
from bench.solvers import Setup, solve_in_flight, solve_static
from bench.tally import Tally
from server.policy import Budget
from training.evaluation_data import EvaluationData

FIXED, UNTIL_HALTED, IN_FLIGHT = "static, fixed steps", "static, until all halted", "in flight"
CHARTS = (
    Chart(x="data", y="goodput", series="contender", panel="slots"),
    Chart(x="data", y="verified", series="contender", panel="slots"),
)


@dataclass(frozen=True)
class EngineOptions:
    """max_steps: of every contender's one attempt; ladder: the whole budget of the server.

    ladder_puzzles: how many of each set are solved with it, in flight only.
    """

    place: Place
    rounds: int
    max_steps: int
    ladder: Budget
    ladder_puzzles: int


def bench_engine(
    setups: Sequence[Setup],
    sets: Sequence[EvaluationData],
    options: EngineOptions,
    settings: Mapping[str, Setting],
    command: str,
    say: Callable[[str], None],
) -> Report:
    """Measure every set at every setup's number of slots; `say` is told what runs."""
    rows: list[Row] = []
    for data in sets:
        for setup in setups:
            rows += _measure(setup, data, options, say)
    return Report(
        benchmark="engine",
        command=command,
        machine=this_machine(options.place.accelerator),
        settings={
            **settings,
            "device": options.place.device,
            "threads": options.place.threads,
            "rounds": options.rounds,
            "max_steps": options.max_steps,
            "ladder": f"{options.ladder.max_steps} x {options.ladder.attempts}",
        },
        rows=tuple(rows),
        charts=CHARTS,
    )


def _measure(
    setup: Setup, data: EvaluationData, options: EngineOptions, say: Callable[[str], None]
) -> list[Row]:
    """One set at one number of slots: a row per contender."""
    steps, few = options.max_steps, data.evenly_spaced(options.ladder_puzzles)
    ladder = f"{IN_FLIGHT}, {options.ladder.max_steps} x {options.ladder.attempts}"
    runs: dict[str, Callable[[], Tally]] = {
        FIXED: partial(solve_static, setup, data, steps, stops_early=False),
        UNTIL_HALTED: partial(solve_static, setup, data, steps, stops_early=True),
        IN_FLIGHT: partial(solve_in_flight, setup, data, Budget(steps, attempts=1)),
        ladder: partial(solve_in_flight, setup, few, options.ladder),
    }
    say(f"{data.name}, {setup.slots} slots: warm-up")
    solve_in_flight(setup, data.evenly_spaced(setup.slots), Budget(2, attempts=1))
    tallies = interleaved(
        runs,
        rounds=options.rounds,
        on_run=lambda name, round_: say(
            f"{data.name}, {setup.slots} slots: {name}, round {round_} of {options.rounds}"
        ),
    )
    fixed = tallies[FIXED]
    rows = []
    for name, own in tallies.items():
        labels = {"data": data.name, "slots": setup.slots, "contender": name}
        figures = tally_figures(own)
        if name != ladder:
            gains = (gain_of_ideal(a, b, steps) for a, b in zip(own, fixed, strict=True))
            figures["share of ideal"] = Figure.of(gains, "share")
        rows.append(Row(labels=labels, figures=figures))
    return rows


def tally_figures(tallies: Sequence[Tally]) -> dict[str, Figure]:
    """A contender's figures from its rounds."""
    return {
        "puzzles": Figure.of((t.puzzles / t.seconds for t in tallies), "1/s"),
        "goodput": Figure.of((t.verified / t.seconds for t in tallies), "verified/s"),
        "verified": Figure.of((t.verified / t.puzzles for t in tallies), "share"),
        "exact": Figure.of((t.exact / t.puzzles for t in tallies), "share"),
        "mean steps": Figure.of((t.steps / t.puzzles for t in tallies), "steps"),
        "row-steps": Figure.of((t.row_steps for t in tallies), "rows"),
        "CPU": Figure.of((t.cpu_s for t in tallies), "s"),
        "outside": Figure.of((t.outside_s / t.seconds for t in tallies), "share"),
        "outside a step": Figure.of((1e3 * t.outside_s / t.calls for t in tallies), "ms"),
    }


def gain_of_ideal(tally: Tally, fixed: Tally, max_steps: int) -> float:
    """How much of the gain that its mean steps promise a contender has over fixed steps.

    1.0: as many times faster than `fixed` as it needs fewer supervision steps for a puzzle.
    """
    gain = (tally.puzzles / tally.seconds) / (fixed.puzzles / fixed.seconds)
    return gain / (max_steps / (tally.steps / tally.puzzles))
