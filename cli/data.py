"""`ponder data`: puzzles → data set."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.console import console, errors, said_clearly


def data_sudoku(
    out: Annotated[Path, typer.Option(help="Data set directory to make.")],
    csv: Annotated[
        list[Path] | None,
        typer.Option(help="Training puzzles: columns source,question,answer,rating; .gz is read."),
    ] = None,
    test_csv: Annotated[list[Path] | None, typer.Option(help="Test puzzles, as --csv.")] = None,
    generate: Annotated[int, typer.Option(min=0, help="Fresh puzzles to generate.")] = 0,
    size: Annotated[int, typer.Option(help="4, 6, 9, 16 or 25.")] = 9,
    extra_givens: Annotated[
        str, typer.Option(help="A-B: givens put back into generated minimal puzzles.")
    ] = "0-0",
    source: Annotated[
        Literal["hub"] | None, typer.Option(help="hub: the public Sudoku-Extreme.")
    ] = None,
    hub_dir: Annotated[
        Path | None, typer.Option(help="Local copy of the Hub's train.csv and test.csv.")
    ] = None,
    validation: Annotated[int, typer.Option(min=0, help="Puzzles held out of training.")] = 0,
    test: Annotated[int, typer.Option(min=0, help="More held-out puzzles, for testing.")] = 0,
    regime: Annotated[
        Literal["1k", "open"],
        typer.Option(help="1k: at most 1,000 training puzzles, none generated."),
    ] = "open",
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Build a Sudoku data set from CSV files, the Hugging Face Hub or fresh puzzles."""
    from rich.progress import Progress

    from training.data_build import SudokuRequest, build_sudoku, parse_range, sudoku_of_size
    from training.data_summary import summary_table
    from training.dataset import DatasetError
    from training.sudoku_generator import GeneratorError

    with said_clearly(DatasetError, GeneratorError):
        request = SudokuRequest(
            sudoku=sudoku_of_size(size),
            seed=seed,
            csv=tuple(csv or ()),
            test_csv=tuple(test_csv or ()),
            generate=generate,
            extra_givens=parse_range(extra_givens),
            hub=source == "hub",
            hub_dir=hub_dir,
            validation=validation,
            test=test,
            regime=regime,
        )
        with Progress(console=errors) as progress:
            info = build_sudoku(request, out, progress)
        console.print(summary_table(out, info))
    for line in info.provenance:
        console.print(line, highlight=False)


def data_arc(
    out: Annotated[Path, typer.Option(help="Task set directory to make.")],
    train: Annotated[
        list[Path] | None,
        typer.Option(help="Tasks whose every pair is trained on: {name: {train, test}}; .json.gz."),
    ] = None,
    evaluate: Annotated[
        list[Path] | None,
        typer.Option(help="Tasks whose demonstrations are trained on, never their test outputs."),
    ] = None,
    without: Annotated[
        Path | None, typer.Option(help="Names of tasks to keep out altogether, one a line.")
    ] = None,
    canvas: Annotated[int, typer.Option(help="Side of the canvas: 10, 15, 20 or 30.")] = 30,
    largest: Annotated[
        int | None, typer.Option(min=1, help="Only tasks with no longer side than this.")
    ] = None,
    made: Annotated[
        int, typer.Option(min=0, help="Tasks to make beside those, of rules of our own.")
    ] = 0,
    made_pairs: Annotated[int, typer.Option(min=2, help="Pairs of a made task.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Of the made tasks.")] = 0,
    drop_leaks: Annotated[
        bool, typer.Option(help="Drop tasks that show an answer of another, or a kept-out pair.")
    ] = False,
) -> None:
    """Build an ARC task set from published task files."""
    from rich.progress import Progress

    from training.arc_build import ArcRequest, build_arc, canvas_of_size, read_names
    from training.dataset import DatasetError

    with said_clearly(DatasetError), Progress(console=errors) as progress:
        request = ArcRequest(
            canvas=canvas_of_size(canvas),
            train=tuple(train or ()),
            evaluate=tuple(evaluate or ()),
            without=read_names(without) if without else frozenset(),
            largest=largest,
            drop_leaks=drop_leaks,
            made=made,
            made_pairs=made_pairs,
            seed=seed,
        )
        info = build_arc(request, out, progress)
    console.print(f"{out}: {info.tasks} tasks, {info.puzzle}")
    for line in info.provenance:
        console.print(line, highlight=False)


def data_check(
    dataset: Annotated[Path, typer.Argument(help="Data set directory.")],
    against: Annotated[
        list[Path] | None, typer.Option(help="Further test puzzles than the data set's own: CSV.")
    ] = None,
) -> None:
    """Compare a Sudoku data set with test puzzles, by any symmetry; exit status 1 on overlap."""
    from rich.progress import Progress

    from training.data_check import overlap_table, overlaps
    from training.dataset import DatasetError

    with said_clearly(DatasetError), Progress(console=errors) as progress:
        found = overlaps(dataset, tuple(against or ()), progress)
    console.print(overlap_table(dataset, found))
    if any(one.any for one in found):
        raise typer.Exit(1)
