"""`ponder bench step`: puzzle-steps per second over batch sizes, beside PyTorch and plain GEMM."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from bench.engines import Place, UnavailableError
from bench.models import Measured
from bench.report import Chart, Figure, Report, Row, this_machine
from bench.rounds import calls_per_second, interleaved
from bench.step_contenders import LIMITS, Gemm, StepContender, open_contenders
from model.flops import step_flops

SEED = 0
# How PyTorch's threads wait for each other: with a busy core beside them it decides everything.
WAIT_POLICY = "OMP_WAIT_POLICY"
# Of one call on a CPU: a step then takes seconds. A default batch size above it is left out.
MOST_FLOPS = 0.5e12
CHART = Chart(x="batch", y="puzzle-steps", series="contender", panel="model")


@dataclass(frozen=True)
class StepOptions:
    """seconds: a round of one contender at one batch size, one call at least.

    all_batches: those too, that would take minutes.
    """

    place: Place
    batches: tuple[int, ...]
    all_batches: bool
    seconds: float
    rounds: int


def bench_step(
    models: Sequence[Measured],
    options: StepOptions,
    command: str,
    say: Callable[[str], None],
) -> Report:
    """Measure every model at every batch size; `say` is told what runs.

    Raises: BundleError.
    """
    place = options.place
    torch.set_num_threads(place.threads)
    rows: list[Row] = []
    notes: list[str] = []
    for measured in models:
        contenders, missing = open_contenders(measured, place)
        notes += missing
        for batch in options.batches:
            if too_much(measured, batch, options):
                notes.append(f"{measured.name}: batch {batch} takes minutes; ask by --batches")
                continue
            rows += _measure(measured, batch, contenders, options, notes, say)
    return Report(
        benchmark="step",
        command=command,
        machine=this_machine(place.accelerator),
        settings={
            "device": place.device,
            "threads": place.threads,
            "seconds": options.seconds,
            "rounds": options.rounds,
            WAIT_POLICY: os.environ.get(WAIT_POLICY),
        },
        rows=tuple(rows),
        charts=(CHART,),
        notes=tuple(dict.fromkeys(notes)),
    )


def too_much(measured: Measured, batch: int, options: StepOptions) -> bool:
    """Whether a default batch size is too large for this network on a CPU."""
    if options.all_batches or options.place.device != "cpu" or measured.config is None:
        return False
    return batch * step_flops(measured.config, measured.spec) > MOST_FLOPS


def _measure(
    measured: Measured,
    batch: int,
    contenders: Sequence[StepContender],
    options: StepOptions,
    notes: list[str],
    say: Callable[[str], None],
) -> list[Row]:
    """One batch size: the contenders' rows."""
    tokens = _draw_tokens(measured, batch)
    ready: list[StepContender] = []
    runs: dict[str, Callable[[], float]] = {}
    for contender in contenders:
        say(f"{measured.name}, batch {batch}: {contender.name}, warm-up")
        try:
            runs[contender.name] = _round(contender, tokens, options.seconds)
        except UnavailableError as error:
            notes.append(str(error))
        else:
            ready.append(contender)
    rates = interleaved(
        runs,
        rounds=options.rounds,
        on_run=lambda name, round_: say(
            f"{measured.name}, batch {batch}: {name}, round {round_} of {options.rounds}"
        ),
    )
    labels = {"model": measured.name, "batch": batch}
    return [
        Row(
            labels={**labels, "contender": contender.name},
            figures=_figures(measured, contender, ready, rates),
        )
        for contender in ready
    ]


def _round(
    contender: StepContender, tokens: npt.NDArray[np.int32], seconds: float
) -> Callable[[], float]:
    """A round: puzzle-steps/s. Raises: UnavailableError."""
    work = contender.work(tokens)
    work()  # warm-up
    steps = len(tokens) * contender.steps_per_call
    return lambda: steps * calls_per_second(work, seconds=seconds)


def _figures(
    measured: Measured,
    contender: StepContender,
    ready: Sequence[StepContender],
    rates: dict[str, list[float]],
) -> dict[str, Figure]:
    own = rates[contender.name]
    figures = {"puzzle-steps": Figure.of(own, "1/s")}
    if measured.config is None:
        return figures
    gflop = step_flops(measured.config, measured.spec) / 1e9
    figures["arithmetic"] = Figure.of((gflop * rate for rate in own), "GFLOP/s")
    for limit in ready:
        if isinstance(limit, Gemm) and limit.precision == LIMITS[contender.precision]:
            # Of the same round: both met the same machine.
            shares = (mine / most for mine, most in zip(own, rates[limit.name], strict=True))
            figures["share of GEMM"] = Figure.of(shares, "share")
    return figures


def _draw_tokens(measured: Measured, batch: int) -> npt.NDArray[np.int32]:
    """(B, S) cells, empty or not, at random: how fast a step is does not depend on them."""
    spec = measured.spec
    rng = np.random.default_rng(SEED)
    return rng.integers(1, spec.vocab_size, (batch, spec.seq_len), np.int32)
