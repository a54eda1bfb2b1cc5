"""`python -m bench.reliability TRIAL` tries a claim and exits with 1 if it did not hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.reliability.api_cases import try_api
from bench.reliability.cases import try_scheduler
from bench.reliability.claims import Findings, show, tried
from bench.reliability.deadlines import try_deadlines
from bench.reliability.drain import try_drain
from bench.reliability.fairness import try_fairness
from bench.reliability.leaving import try_leaving
from bench.reliability.overload import try_overload
from bench.reliability.slow import try_slow_clients
from bench.reliability.soak import try_soak

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

Quick = Annotated[bool, typer.Option("--quick", help="Only try whether everything runs.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; table on stderr.")]
Bundle = Annotated[Path, typer.Option(help="Bundle directory to serve.")]
SHIPPED = Path("bundles/sudoku")


@app.command()
def scheduler(quick: Quick = False, json: Json = False) -> None:
    """10,000 random histories of the scheduler (4 minutes)."""
    _conclude("scheduler", lambda: try_scheduler(examples=200 if quick else 10_000), json)


@app.command()
def api(bundle: Bundle = SHIPPED, quick: Quick = False, json: Json = False) -> None:
    """10,000 random requests against the OpenAPI document (5 minutes)."""
    _conclude("api", lambda: try_api(bundle, cases=200 if quick else 10_000), json)


@app.command()
def overload(
    bundle: Bundle = SHIPPED,
    data: Annotated[
        Path | None, typer.Option(help="Puzzles, as `ponder evaluate` reads them [minimal 9x9].")
    ] = None,
    quick: Quick = False,
    json: Json = False,
) -> None:
    """Ten times the load that can be solved, for a minute (2 minutes in all)."""
    seconds = 6 if quick else 60
    _conclude("overload", lambda: try_overload(bundle, seconds=seconds, data=data), json)


@app.command()
def slow(bundle: Bundle = SHIPPED, quick: Quick = False, json: Json = False) -> None:
    """500 connections that trickle, and 50 MB (half a minute)."""
    _conclude("slow", lambda: try_slow_clients(bundle, connections=30 if quick else 500), json)


@app.command()
def leaving(bundle: Bundle = SHIPPED, quick: Quick = False, json: Json = False) -> None:
    """100,000 clients that hang up (6 minutes)."""
    _conclude("leaving", lambda: try_leaving(bundle, requests=1000 if quick else 100_000), json)


@app.command()
def drain(bundle: Bundle = SHIPPED, json: Json = False) -> None:
    """SIGTERM under load (half a minute)."""
    _conclude("drain", lambda: try_drain(bundle), json)


@app.command()
def fairness(bundle: Bundle = SHIPPED, quick: Quick = False, json: Json = False) -> None:
    """Single requests beside 10,000 puzzles in batches (5 minutes)."""
    _conclude("fairness", lambda: try_fairness(bundle, puzzles=1000 if quick else 10_000), json)


@app.command()
def deadlines(bundle: Bundle = SHIPPED, json: Json = False) -> None:
    """600 requests that cannot all be met in time (10 seconds)."""
    _conclude("deadlines", lambda: try_deadlines(bundle), json)


@app.command()
def soak(
    bundle: Bundle = SHIPPED,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 30.0,
    plot: Annotated[Path, typer.Option(help="PNG to draw.")] = Path("soak.png"),
    json: Json = False,
) -> None:
    """80 % of the peak for half an hour."""
    _conclude("soak", lambda: try_soak(bundle, minutes=minutes, plot=plot), json)


def _conclude(name: str, trial: Callable[[], Findings], json: bool) -> None:
    found = tried(name, trial)
    show(found, Console(stderr=json))
    if json:
        typer.echo(found.model_dump_json())
    raise typer.Exit(not found.held)


if __name__ == "__main__":
    app()
