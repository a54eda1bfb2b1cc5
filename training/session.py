"""`ponder train` from recipe file to finished run: progress bar, signals, resume."""

import signal
from pathlib import Path
from types import FrameType
from typing import final

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.checkpoint import CheckpointError
from training.recipe import Recipe
from training.run_state import RECIPE_FILE, check_resumable, checkpoints, newest_checkpoint
from training.trainer import Progress as TrainingProgress
from training.trainer import Trainer


@final
class StopFlag:
    """Becomes true on SIGTERM or Ctrl-C; the second Ctrl-C is no longer caught."""

    def __init__(self) -> None:
        self._raised = False

    def __call__(self) -> bool:
        return self._raised

    def install(self) -> None:
        """Catch the signals; only the main thread may."""
        signal.signal(signal.SIGTERM, self._catch)
        signal.signal(signal.SIGINT, self._catch)

    def _catch(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._raised = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run_training(
    recipe: Recipe, run: Path, *, resume: bool, device: torch.device, console: Console
) -> Path:
    """Train to the recipe's end, or until a signal; returns the last checkpoint.

    Raises: CheckpointError if the run exists and is not resumed, or cannot be;
    RecipeError if it is resumed with another recipe.
    """
    if resume:
        check_resumable(run, recipe)
        checkpoint = newest_checkpoint(run)
    elif checkpoints(run) or (run / RECIPE_FILE).exists():
        raise CheckpointError(f"{run} holds a run already: --resume it, or choose another --out")
    trainer = Trainer(recipe, run, device=device)
    if resume:
        trainer.resume(checkpoint)
    stop = StopFlag()
    stop.install()
    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
    ) as bar:
        task = bar.add_task(
            recipe.name,
            total=recipe.optimizer_steps,
            completed=trainer.optimizer_step,
            figures="compiling …" if recipe.compile else "",
        )

        def show(progress: TrainingProgress) -> None:
            bar.update(task, completed=progress.optimizer_step, figures=_figures(progress.values))
            if not console.is_terminal:
                console.print(f"{progress.optimizer_step} {_figures(progress.values)}")

        trainer.train(show, stop)
    return newest_checkpoint(run)


def _figures(values: dict[str, float]) -> str:
    """Short, in the order logged; `sudoku-9x9/` stays, so that lanes can be told apart."""
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())
