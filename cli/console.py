"""Where commands speak: results to stdout, errors and progress to stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

console = Console()
errors = Console(stderr=True)


@contextmanager
def said_clearly(*known: type[Exception], status: int = 2) -> Iterator[None]:
    """A known error becomes one red message and an exit status, without a traceback."""
    try:
        yield
    except known as error:
        # Unbroken: a path that is cut in two cannot be copied, nor searched for.
        errors.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(status) from error
