"""`ponder train` from recipe file to finished run: progress bar, signals, resume."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import final

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kernel.isa import UnsupportedError
from model.body import ShapeError
from model.checkpoint import CheckpointError
from training.recipe import Recipe, RecipeError
from training.run_state import check_resumable, checkpoints, newest_checkpoint
from training.threads import torch_threads
from training.trainer import Progress as TrainingProgress
from training.trainer import Trainer

BAR_WIDTH = 12  # characters: the figures need the rest of the line


@dataclass(frozen=True)
class Outcome:
    """Where a run stands: its last checkpoint, how far it came, whether that was to the end."""

    checkpoint: Path
    optimizer_step: int
    finished: bool


@final
class StopFlag:
    """Becomes true on SIGTERM or Ctrl-C; the second Ctrl-C is no longer caught."""

    def __init__(self) -> None:
        self._raised = False

    def __call__(self) -> bool:
        return self._raised

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Catch the signals meanwhile; only the main thread may."""
        before = {
            number: signal.signal(number, self._catch) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _catch(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._raised = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run_training(
    recipe: Recipe, run: Path, *, resume: bool, device: torch.device, console: Console
) -> Outcome:
    """Train to the recipe's end, or until a signal.

    Raises: CheckpointError if the run exists and is not resumed, or cannot be; RecipeError if it
    is resumed with another recipe; DatasetError; TrainingDivergedError, TrainingCollapsedError.
    """
    if resume:
        checkpoint = newest_checkpoint(run)
        check_resumable(run, recipe)
    elif checkpoints(run):
        raise CheckpointError(f"{run} holds a run already: --resume it, or choose another --out")
    trainer = open_trainer(recipe, run, device)
    stop = StopFlag()
    with closing(trainer), stop.installed(), torch_threads(uses_kernel=trainer.uses_kernel):
        if resume:
            trainer.resume(checkpoint)
        _train_with_bar(trainer, stop, console)
    return Outcome(
        checkpoint=newest_checkpoint(run),
        optimizer_step=trainer.optimizer_step,
        finished=trainer.optimizer_step >= recipe.optimizer_steps,
    )


def open_trainer(recipe: Recipe, run: Path, device: torch.device) -> Trainer:
    """A trainer at the beginning. Raises: RecipeError, DatasetError, CheckpointError."""
    try:
        return Trainer(recipe, run, device=device)
    except ShapeError as error:
        raise RecipeError(f"model: {error}") from error
    except UnsupportedError as error:
        raise RecipeError(f"runtime = {recipe.runtime!r}: {error}") from error


def _train_with_bar(trainer: Trainer, stop: StopFlag, console: Console) -> None:
    recipe = trainer.recipe
    lane = max(recipe.lanes, key=lambda lane: lane.share).puzzle
    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(BAR_WIDTH),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(
            recipe.name,
            total=recipe.optimizer_steps,
            completed=trainer.optimizer_step,
            figures="compiling …" if recipe.compile else "",
        )

        def show(progress: TrainingProgress) -> None:
            figures = short_figures(progress.values, lane)
            bar.update(task, completed=progress.optimizer_step, figures=figures)
            if not console.is_terminal:
                done = f"{progress.optimizer_step}/{recipe.optimizer_steps}"
                console.print(f"{done}  {figures}", highlight=False, soft_wrap=True)

        trainer.train(show, stop)


def short_figures(values: Mapping[str, float], lane: str) -> str:
    """What fits beside a progress bar, of one lane; metrics.jsonl has all of all lanes."""
    shown = {
        "optimizer_steps_per_second": "{:.1f} steps/s",
        f"{lane}/loss_answer": "loss {:.3f}",
        f"{lane}/halted_exact": "exact {:.1%}",
        f"{lane}/halted_supervision_steps": "mean steps {:.1f}",
        f"{lane}/validation_exact": "validation {:.1%}",
        f"{lane}/validation_solved": "at any step {:.1%}",
    }
    return "  ".join(text.format(values[name]) for name, text in shown.items() if name in values)
