"""`ponder combine`: several networks become one checkpoint, and vote."""

from pathlib import Path
from typing import Annotated

import typer

from cli.checkpoints import CheckpointChoice, chosen_checkpoint
from cli.console import console, said_clearly


def combine(
    checkpoints: Annotated[
        list[Path], typer.Argument(help="Checkpoints, runs or bundles that know the same tasks.")
    ],
    out: Annotated[Path, typer.Option(help="Checkpoint directory to write.")],
    which: CheckpointChoice = "best",
    name: Annotated[str | None, typer.Option(help="Of the model [the first one's].")] = None,
) -> None:
    """Put networks together that know the same tasks: all of them vote on every question."""
    from model.checkpoint import CheckpointError
    from model.combining import combine as combined
    from training.known_table import checkpoint_of

    with said_clearly(CheckpointError, FileExistsError):
        chosen = [checkpoint_of(chosen_checkpoint(path, which)) for path in checkpoints]
        info = combined(chosen, out, name=name)
    console.print(
        f"{len(chosen)} checkpoints, {info.config.tasks} tasks that all of them know: {out}",
        highlight=False,
        soft_wrap=True,
    )
