"""Commands that take a run directory take one of its checkpoints, and say which."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.console import errors

CheckpointChoice = Annotated[
    Literal["best", "newest"],
    typer.Option("--checkpoint", help="Of a run directory: the best by its validation, or newest."),
]


def chosen_checkpoint(path: Path, which: Literal["best", "newest"]) -> Path:
    """A checkpoint or bundle directory itself, or the chosen checkpoint of a run directory.

    Raises: CheckpointError.
    """
    from training.run_state import resolve_checkpoint

    chosen = resolve_checkpoint(path, which)
    if chosen != path:
        errors.print(f"checkpoint: {chosen}", highlight=False, soft_wrap=True)
    return chosen
