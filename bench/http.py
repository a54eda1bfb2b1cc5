"""`ponder bench http`: the running server and what one would use instead, under the same load."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.http_contenders import Contender, Served
from bench.http_load import need_wrk
from bench.http_trial import (
    AT_RATE,
    ONE_BY_ONE,
    OPEN_SHARE,
    SATURATED,
    SINGLE_LOAD,
    HttpOptions,
    Load,
    Outcome,
    Trial,
    single,
    without_http,
)
from bench.report import Chart, Figure, Report, Row, Setting, this_machine
from bench.rounds import interleaved
from bench.solvers import Setup
from training.evaluation_data import EvaluationData

PACKAGES = ("onnxruntime", "fastapi", "uvicorn", "litserve")
CHARTS = (Chart(x="connections", y="goodput", series="contender", panel="puzzles"),)


def bench_http(
    setups: Mapping[str, Setup],
    sets: Sequence[EvaluationData],
    contenders: Sequence[Contender],
    options: HttpOptions,
    settings: Mapping[str, Setting],
    command: str,
    say: Callable[[str], None],
) -> Report:
    """Every contender with every set of puzzles, in turns; `say` is told what runs.

    setups: by engine; what they do without HTTP is the measure. Raises: BenchError, TrialError.
    """
    need_wrk()
    rows: list[Row] = []
    for data in sets:
        rows += _measure(setups, data, contenders, options, say)
    return Report(
        benchmark="http",
        command=command,
        machine=this_machine(packages=PACKAGES),
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
    setups: Mapping[str, Setup],
    data: EvaluationData,
    contenders: Sequence[Contender],
    options: HttpOptions,
    say: Callable[[str], None],
) -> list[Row]:
    """One set: a row per contender and load, after those of the engines alone."""
    bare = {_bare(one.serves): one.serves for one in contenders}
    with tempfile.TemporaryDirectory() as directory:
        runs: dict[str, Callable[[], Outcome]] = {
            name: partial(without_http, setups[serves.runtime], data, serves.budget, options)
            for name, serves in bare.items()
        }
        trials = {_name(one): Trial(one, data, options, Path(directory)) for one in contenders}
        found = interleaved(
            runs | {name: trial.run for name, trial in trials.items()},
            rounds=options.rounds,
            on_run=lambda name, round_: say(
                f"{data.name}: {name}, round {round_} of {options.rounds}"
            ),
        )
    base_of = {name: name for name in bare}
    base_of |= {_name(one): _bare(one.serves) for one in contenders}
    return [
        Row(
            labels={
                "puzzles": data.name,
                "contender": name,
                "load": load.name,
                "connections": load.connections,
            },
            figures=figures_of(load, found[name], found[base]),
        )
        for name, base in base_of.items()
        for load in found[name][0].loads
    ]


def _name(contender: Contender) -> str:
    return f"{contender.name} ({contender.serves.runtime})"


def _bare(serves: Served) -> str:
    budget = serves.budget
    return f"no HTTP, {budget.max_steps} x {budget.attempts} ({serves.runtime})"


def figures_of(load: Load, rounds: Sequence[Outcome], bare: Sequence[Outcome]) -> dict[str, Figure]:
    """What a load brought; beside what the same engine did without HTTP in the same round."""
    seen = [one.loads[load] for one in rounds]
    rates = [load.puzzles * one.per_second for one in seen]
    verified = [one.verified for one in rounds]
    figures = {
        "rate": Figure.of(rates, "puzzles/s"),
        "verified": Figure.of(verified, "share"),
        "p50": Figure.of((one.p50_ms for one in seen), "ms"),
        "p95": Figure.of((one.p95_ms for one in seen), "ms"),
        "p99": Figure.of((one.p99_ms for one in seen), "ms"),
    }
    if load.name == SINGLE_LOAD:
        goodput = (share * rate for share, rate in zip(verified, rates, strict=True))
        figures["goodput"] = Figure.of(goodput, "verified/s")
    if load == single(1):
        alone = [one.loads[ONE_BY_ONE].p50_ms for one in bare]
        slower = (one.p50_ms / base for one, base in zip(seen, alone, strict=True))
        figures["p50 of alone"] = Figure.of(slower, "share")
    elif load == AT_RATE:
        figures["p99 / p50"] = Figure.of((one.p99_ms / one.p50_ms for one in seen), "times")
    elif load != ONE_BY_ONE:
        most = [one.loads[SATURATED].per_second for one in bare]
        shares = (rate / base for rate, base in zip(rates, most, strict=True))
        figures["of slots full"] = Figure.of(shares, "share")
    for status in sorted({status for one in seen for status in one.statuses} - {200}):
        counts = (float(one.statuses.get(status, 0)) for one in seen)
        figures[f"status {status}"] = Figure.of(counts, "answers")
    return figures
