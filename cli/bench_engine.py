"""`ponder bench engine`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.bench import Json, Out, Plot, Quick, Rounds, Threads, command_line, hand_over, progress
from cli.console import said_clearly


def engine(
    bundle: Annotated[Path, typer.Option(help="Bundle directory.")] = Path("bundles/sudoku"),
    puzzle: Annotated[str, typer.Option(help="Puzzle size.")] = "sudoku-9x9",
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Data set directory, or CSV with Sudoku-Extreme's columns, or .gz; may be "
            "repeated [fresh puzzles: minimal, and easy ones]."
        ),
    ] = None,
    puzzle_limit: Annotated[int, typer.Option(min=1, help="Of each, evenly spaced.")] = 512,
    slots: Annotated[
        str | None, typer.Option(help="Rows of a batch, between commas [as the server measures].")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="As `bench step` names them [the server's choice].")
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option()] = "cpu",
    threads: Threads = None,
    rounds: Rounds = 5,
    ladder_puzzles: Annotated[
        int, typer.Option(min=1, help="Of each set, with the server's whole budget.")
    ] = 128,
    waiting: Annotated[
        str | None,
        typer.Option(help="Measure growth instead: puzzles in the queue, as in 100,1000,10000."),
    ] = None,
    quick: Quick = False,
    json: Json = False,
    out: Out = None,
    plot: Plot = None,
) -> None:
    """Verified puzzles/s: in flight against static batches, on the same engine and puzzles."""
    from bench.engine import EngineOptions, bench_engine
    from bench.engines import Place, Subject, open_engine
    from bench.growth import bench_growth
    from bench.puzzle_sets import puzzle_sets
    from bench.report import BenchError
    from bench.solvers import setups_for
    from bench.texts import parse_numbers
    from export.manifest import BundleError
    from kernel.lattice import usable_cores
    from server.policy import Budget
    from server.settings import find_bundle
    from training.dataset import DatasetError
    from training.sudoku_generator import GeneratorError

    known = (BenchError, BundleError, DatasetError, GeneratorError)
    with said_clearly(*known), progress() as (bar, say):
        place = Place(device, threads or usable_cores())
        sets = puzzle_sets(data or (), puzzle, 32 if quick else puzzle_limit, bar)
        subject = Subject.open(find_bundle(bundle), puzzle)
        standard = subject.entry.efforts.standard
        name, opened = open_engine(subject, place, runtime)
        setups = setups_for(subject, opened, place, parse_numbers(slots) if slots else ())
        rounds = 1 if quick else rounds
        about: dict[str, str | int | float | bool | None] = {
            "bundle": subject.manifest.name,
            "runtime": name,
            "puzzles": len(sets[0]),
        }
        if waiting is not None:
            lengths, once = parse_numbers(waiting), Budget(standard.max_steps, attempts=1)
            about |= {"device": device, "threads": place.threads}
            report = bench_growth(
                setups[0], sets, lengths, once, rounds, about, command_line(), say
            )
        else:
            options = EngineOptions(
                place=place,
                rounds=rounds,
                max_steps=standard.max_steps,
                ladder=Budget(standard.max_steps, standard.attempts),
                ladder_puzzles=4 if quick else ladder_puzzles,
            )
            report = bench_engine(setups, sets, options, about, command_line(), say)
    hand_over(report, json=json, out=out, plot=plot)
