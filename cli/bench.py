"""`ponder bench`: what all benchmarks have in common on the command line."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.console import console, errors, said_clearly

if TYPE_CHECKING:
    from bench.report import Report

UNFOLDED = 220  # columns of a table that goes to a file

# Options of every benchmark.
Rounds = Annotated[int, typer.Option(min=1, help="Rounds of every contender, in turns.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads of every contender [one per core].")
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object last on stdout; the table goes to stderr.")
]
Out = Annotated[Path | None, typer.Option(help="Write the JSON object to this file.")]
Plot = Annotated[Path | None, typer.Option(help="Draw the charts to this PNG.")]
Quick = Annotated[bool, typer.Option("--quick", help="Only try whether everything runs.")]


def hand_over(report: "Report", *, json: bool, out: Path | None, plot: Path | None) -> None:
    """Table to the terminal, JSON to stdout and `out`, picture to `plot`."""
    from bench.report import BenchError
    from bench.report_view import plot_report, report_table

    to = errors if json else console
    if not to.is_terminal:
        to = Console(stderr=json, width=UNFOLDED)
    to.print(report_table(report))
    if out is not None:
        report.write(out)
    if plot is not None:
        with said_clearly(BenchError):
            plot_report(report, plot)
    if json:
        typer.echo(report.model_dump_json())


@contextmanager
def progress() -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """A line on stderr that says what runs, and the function that changes it."""
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("")
        yield bar, lambda text: bar.update(task, description=text)


def command_line() -> str:
    """The command that runs, as one would type it."""
    return shlex.join(["ponder", *sys.argv[1:]])
