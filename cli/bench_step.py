"""`ponder bench step`."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.bench import Json, Out, Plot, Quick, Rounds, Threads, command_line, hand_over, progress
from cli.console import said_clearly

DEFAULT_BATCHES = (1, 4, 16, 64, 256)


def step(
    bundle: Annotated[Path, typer.Option(help="Bundle directory.")] = Path("bundles/sudoku"),
    puzzle: Annotated[str, typer.Option(help="Puzzle size.")] = "sudoku-9x9",
    model: Annotated[
        Literal["bundle", "mlp", "both"],
        typer.Option(help="mlp: the paper's TRM-MLP, 512 wide, with random weights."),
    ] = "both",
    batches: Annotated[
        str | None, typer.Option(help="Batch sizes, between commas [1,4,16,64,256].")
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Of all contenders.")] = "cpu",
    threads: Threads = None,
    seconds: Annotated[float, typer.Option(min=0, help="Of a round, one call at least.")] = 1.0,
    rounds: Rounds = 5,
    quick: Quick = False,
    json: Json = False,
    out: Out = None,
    plot: Plot = None,
) -> None:
    """Puzzle-steps/s over batch sizes: our engines, PyTorch, and plain GEMM as the limit."""
    from bench.engines import Place
    from bench.models import PAPER_MLP, Measured, of_bundle, write_random_bundle
    from bench.report import BenchError
    from bench.step import StepOptions, bench_step
    from bench.texts import parse_numbers
    from export.manifest import BundleError
    from kernel.lattice import usable_cores
    from kernel.weights import WeightsError
    from puzzles.registry import by_name
    from server.settings import find_bundle

    known = (BenchError, BundleError, WeightsError)
    with said_clearly(*known), tempfile.TemporaryDirectory() as made, progress() as (_, say):
        options = StepOptions(
            place=Place(device, threads or usable_cores()),
            batches=(1, 2) if quick else parse_numbers(batches) if batches else DEFAULT_BATCHES,
            all_batches=batches is not None,
            seconds=0.0 if quick else seconds,
            rounds=1 if quick else rounds,
        )
        models: list[Measured] = []
        if model != "mlp":
            models.append(of_bundle(find_bundle(bundle), puzzle))
        if model != "bundle":
            spec = by_name("sudoku-9x9").spec
            models.append(write_random_bundle("trm-mlp-512", PAPER_MLP, spec, Path(made)))
        report = bench_step(models, options, command_line(), say)
    hand_over(report, json=json, out=out, plot=plot)
