"""`ponder serve` and `ponder solve`: what needs the `cpu` extra only."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.console import console, errors, said_clearly


def serve(context: typer.Context) -> None:
    """Serve bundles over HTTP. Its options are the server's settings: see `serve --help`."""
    from server.__main__ import main as run_server

    raise typer.Exit(run_server(context.args))


def solve(
    puzzle: Annotated[
        str | None,
        typer.Argument(help="One line, row by row, 81 characters for 9×9; . is empty."),
    ] = None,
    input_: Annotated[
        Path | None,
        typer.Option("--input", help="One puzzle a line, or CSV with a question column; or .gz."),
    ] = None,
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Bundle directory [those in bundles/].")
    ] = None,
    kind: Annotated[str, typer.Option(help="Kind of puzzle.")] = "sudoku",
    effort: Annotated[
        Literal["low", "standard", "max"] | None,
        typer.Option(help="What a puzzle may cost [standard]."),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Steps per attempt [the effort's].")
    ] = None,
    attempts: Annotated[int | None, typer.Option(min=1, help="Attempts [the effort's].")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines, as the API answers.")] = False,
) -> None:
    """Solve puzzles here, without a server. Exit status 1 if one stays unsolved."""
    from server.offline import OfflineError, OfflineOptions, given_questions, solve_offline
    from server.show import shown

    options = OfflineOptions(
        kind, tuple(bundle or ()), threads, effort=effort, max_steps=max_steps, attempts=attempts
    )
    with said_clearly(OfflineError):
        solved = solve_offline(given_questions(puzzle, input_), options, errors)
    for one in solved:
        console.print(one.json() if json else shown(one), soft_wrap=True, highlight=False)
    raise typer.Exit(0 if all(one.is_solved for one in solved) else 1)
