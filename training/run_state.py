"""A run on disk: recipe.json and checkpoints `step-00001000/`; the newest whole one counts."""

import json
import shutil
from pathlib import Path

from model.checkpoint import CheckpointError, read_info
from training.recipe import Recipe, RecipeError

RECIPE_FILE = "recipe.json"
PREFIX = "step-"
KEPT = 2
# A run may go on longer, at another rate, or be watched more closely; nothing else may change.
FREE_TO_CHANGE = {
    "optimizer_steps",
    "schedule",
    "log_every",
    "save_every",
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
    """The checkpoint to resume, evaluate or export. Raises: CheckpointError if there is none."""
    found = checkpoints(run)
    if not found:
        raise CheckpointError(f"{run}: no checkpoint ({PREFIX}…) in this directory")
    return found[-1]


def resolve_checkpoint(path: Path) -> Path:
    """A checkpoint directory itself, or the newest one of a run directory."""
    return newest_checkpoint(path) if (path / RECIPE_FILE).exists() else path


def prune(run: Path, metric: str | None) -> None:
    """Delete all but the newest checkpoints and the one whose `metric` is highest."""
    found = checkpoints(run)
    kept = set(found[-KEPT:])
    if metric is not None:
        measured = {path: read_info(path).metrics.get(metric) for path in found}
        best = {path: value for path, value in measured.items() if value is not None}
        kept.update(sorted(best, key=lambda path: best[path])[-1:])
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
