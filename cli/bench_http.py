"""`ponder bench http`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.bench import Json, Out, Plot, Quick, Rounds, Threads, command_line, hand_over, progress
from cli.console import said_clearly


def http(
    bundle: Annotated[Path, typer.Option(help="Bundle directory.")] = Path("bundles/sudoku"),
    puzzle: Annotated[str, typer.Option(help="Puzzle size.")] = "sudoku-9x9",
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Data set directory, or CSV with Sudoku-Extreme's columns, or .gz; may be "
            "repeated [fresh puzzles: minimal, and easy ones]."
        ),
    ] = None,
    puzzle_limit: Annotated[int, typer.Option(min=1, help="Of each, evenly spaced.")] = 256,
    connections: Annotated[
        str, typer.Option(help="Of closed loops, between commas.")
    ] = "1,4,16,64,256",
    batches: Annotated[
        str, typer.Option(help="Puzzles in a batch request, between commas.")
    ] = "1,4,16,64,256",
    slots: Annotated[
        int | None, typer.Option(min=1, help="Rows of a batch [as the server measures].")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="As `bench step` names them [the server's choice].")
    ] = None,
    peer_runtime: Annotated[
        str, typer.Option(help="Of the peers, and of the server beside them.")
    ] = "onnxruntime float32",
    seconds: Annotated[int, typer.Option(min=1, help="Of one load.")] = 3,
    threads: Threads = None,
    rounds: Rounds = 3,
    quick: Quick = False,
    json: Json = False,
    out: Out = None,
    plot: Plot = None,
) -> None:
    """The server over HTTP, beside LitServe and a plain FastAPI route with the same graph."""
    from bench.engines import Place, Subject, open_engine
    from bench.http import bench_http
    from bench.http_contenders import Served, all_contenders
    from bench.http_trial import HttpOptions
    from bench.puzzle_sets import puzzle_sets
    from bench.reliability.process import TrialError
    from bench.report import BenchError
    from bench.solvers import Setup, setups_for
    from bench.texts import parse_numbers
    from export.manifest import BundleError
    from kernel.lattice import usable_cores
    from server.policy import Budget
    from server.settings import find_bundle
    from training.dataset import DatasetError
    from training.sudoku_generator import GeneratorError

    known = (BenchError, BundleError, DatasetError, GeneratorError, TrialError)
    with said_clearly(*known), progress() as (bar, say):
        place = Place("cpu", threads or usable_cores())
        options = HttpOptions(
            connections=(1, 4) if quick else parse_numbers(connections),
            batches=(4,) if quick else parse_numbers(batches),
            seconds=1 if quick else seconds,
            rounds=1 if quick else rounds,
        )
        sets = puzzle_sets(data or (), puzzle, 8 if quick else puzzle_limit, bar)
        subject = Subject.open(find_bundle(bundle), puzzle)
        standard = subject.entry.efforts.standard
        setups: dict[str, Setup] = {}

        def served(wanted: str | None) -> Served:
            """Opens the engine, which then measures what it does without HTTP."""
            name, engine = open_engine(subject, place, wanted)
            [setups[name]] = setups_for(subject, engine, place, (slots,) if slots else ())
            once = Budget(standard.max_steps, attempts=1)
            return Served(subject.bundle, puzzle, name, place.threads, setups[name].slots, once)

        ours, theirs = served(runtime), served(peer_runtime)
        whole = Budget(standard.max_steps, standard.attempts)
        about: dict[str, str | int | float | bool | None] = {
            "bundle": subject.manifest.name,
            "threads": place.threads,
            "puzzles": len(sets[0]),
            **{f"slots of {name}": one.slots for name, one in setups.items()},
        }
        report = bench_http(
            setups, sets, all_contenders(ours, theirs, whole), options, about, command_line(), say
        )
    hand_over(report, json=json, out=out, plot=plot)
