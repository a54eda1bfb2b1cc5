"""All commands, put together."""

from importlib.metadata import version
from typing import Annotated

import typer

from cli import (
    adaptation_job,
    adapting,
    batch,
    bench_adapt,
    bench_engine,
    bench_http,
    bench_step,
    combining,
    data,
    evaluating,
    exporting,
    inspecting,
    keys,
    serving,
    training,
)
from cli.console import console


def _show_version(asked: bool) -> None:
    if asked:
        console.print(f"ponder {version('ponder')}", highlight=False)
        raise typer.Exit


def of_all_commands(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Train, export and serve small recursive models that solve puzzles."""


def create_app() -> typer.Typer:
    """The application of the `ponder` script."""
    ponder = typer.Typer(
        name="ponder",
        help="Train, export and serve small recursive models that solve puzzles.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    ponder.callback()(of_all_commands)
    ponder.command()(evaluating.evaluate)
    ponder.command()(adapting.adapt)
    ponder.command(hidden=True)(adaptation_job.adapt_job)
    ponder.command()(training.plot)
    ponder.command()(training.train)
    # The server reads its own options: they are its settings.
    foreign = {"allow_extra_args": True, "ignore_unknown_options": True}
    ponder.command(add_help_option=False, context_settings=foreign)(serving.serve)
    ponder.command()(serving.solve)
    ponder.command()(combining.combine)
    ponder.command()(exporting.export)
    ponder.command()(exporting.import_reference)
    ponder.command()(inspecting.inspect)
    data_app = typer.Typer(help="Build data sets.", no_args_is_help=True)
    data_app.command("sudoku")(data.data_sudoku)
    data_app.command("arc")(data.data_arc)
    data_app.command("check")(data.data_check)
    ponder.add_typer(data_app, name="data")
    batch_app = typer.Typer(
        help="Files of puzzles that a server solves when nobody else waits.", no_args_is_help=True
    )
    batch_app.command()(batch.submit)
    batch_app.command()(batch.status)
    batch_app.command()(batch.results)
    batch_app.command()(batch.cancel)
    batch_app.command("list")(batch.list_batches)
    ponder.add_typer(batch_app, name="batch")
    keys_app = typer.Typer(help="API keys of a server.", no_args_is_help=True)
    keys_app.callback()(keys.keys)  # so that its one command keeps its name
    keys_app.command()(keys.new)
    ponder.add_typer(keys_app, name="keys")
    bench_app = typer.Typer(help="Measure, beside peers.", no_args_is_help=True)
    bench_app.command()(bench_step.step)
    bench_app.command()(bench_adapt.adapt)
    bench_app.command()(bench_engine.engine)
    bench_app.command()(bench_http.http)
    ponder.add_typer(bench_app, name="bench")
    return ponder


app = create_app()


def main() -> None:
    """Entry point of the `ponder` script."""
    app()
