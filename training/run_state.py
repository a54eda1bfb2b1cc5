"""A run on disk: recipe.json and checkpoints `step-00001000/`: the newest and the best count."""

import json
import shutil
from pathlib import Path
from typing import Literal

from model.checkpoint import CheckpointError, read_info
from training.recipe import Recipe, RecipeError
from training.run_log import read_metrics
from training.watch import watched_figure

RECIPE_FILE = "recipe.json"
PREFIX = "step-"
KEPT = 2
Choice = Literal["best", "newest"]
# A run may go on longer, at another rate, or be watched more closely; nothing else may change.
FREE_TO_CHANGE = {
    "optimizer_steps",
    "schedule",
    "log_every",
    "save_every",
    "save_minutes",
    "stop",
    "validate_every",
    "validation_puzzles",
    "compile",
}


def checkpoint_path(run: Path, optimizer_step: int) -> Path:
    """Where the checkpoint after `optimizer_step` optimizer steps lies."""
    return run / f"{PREFIX}{optimizer_step:08d}"


def checkpoints(run: Path) -> list[Path]:
    """All whole checkpoints of a run, oldest first."""
    return sorted(path for path in run.glob(f"{PREFIX}*") if path.suffix != ".partial")


def newest_checkpoint(run: Path) -> Path:
    """The checkpoint to resume from. Raises: CheckpointError if there is none."""
    found = checkpoints(run)
    if not found:
        raise CheckpointError(f"{run}: no checkpoint ({PREFIX}…) in this directory")
    return found[-1]


def best_checkpoint(run: Path) -> Path | None:
    """The checkpoint with the highest watched figure, the latest of equals; None if unmeasured.

    Raises: CheckpointError if one is damaged.
    """
    figures = {path: watched_figure(read_info(path).metrics) for path in checkpoints(run)}
    measured = [(figure, path) for path, figure in figures.items() if figure is not None]
    return max(measured)[1] if measured else None


def validated(run: Path) -> list[float]:
    """The watched figure of every validation so far, as logged. Raises: RunLogError."""
    figures = map(watched_figure, read_metrics(run))
    return [figure for figure in figures if figure is not None]


def resolve_checkpoint(path: Path, which: Choice = "best") -> Path:
    """A checkpoint directory itself, or one of a run directory.

    Without any validation the newest is the best. Raises: CheckpointError.
    """
    if not (path / RECIPE_FILE).exists():
        return path
    best = best_checkpoint(path) if which == "best" else None
    return best or newest_checkpoint(path)


def prune(run: Path) -> None:
    """Delete all but the newest checkpoints and the best one."""
    found = checkpoints(run)
    kept = {*found[-KEPT:], best_checkpoint(run)}
    for path in found:
        if path not in kept:
            shutil.rmtree(path)


def write_recipe(run: Path, recipe: Recipe) -> None:
    """Put the recipe beside the weights."""
    run.mkdir(parents=True, exist_ok=True)
    aside = run / f"{RECIPE_FILE}.partial"
    aside.write_text(recipe.model_dump_json(indent=1) + "\n")
    aside.replace(run / RECIPE_FILE)


def check_resumable(run: Path, recipe: Recipe) -> None:
    """Refuse to go on with another recipe. Raises: RecipeError naming what changed."""
    path = run / RECIPE_FILE
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error
    now = json.loads(recipe.model_dump_json())
    changed = [key for key in now if now[key] != before.get(key) and key not in FREE_TO_CHANGE]
    if changed:
        raise RecipeError(
            f"{path} was made with another {', '.join(changed)}; "
            "start a new run (another name), or resume with the recipe it had"
        )
