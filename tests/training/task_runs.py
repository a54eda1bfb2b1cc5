"""Small runs that learn tasks."""

from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from puzzles.arc import ARCS
from tests.training.arc_tasks import fill_task, mirror_task, write_tasks
from tests.training.small_runs import recipe
from training.arc_build import ArcRequest, build_arc
from training.recipe import Recipe
from training.run_state import checkpoints
from training.trainer import Trainer

CPU = torch.device("cpu")
PALETTE = {
    "cell": "palette",
    "hidden_size": 8,
    "blocks": 1,
    "latent_recursions": 1,
    "deep_recursions": 1,
    "expansion": 1.0,
    "task_variants": 2,
}
ATTENTION = {
    "cell": "attention",
    "hidden_size": 8,
    "heads": 2,
    "blocks": 1,
    "latent_recursions": 1,
    "deep_recursions": 1,
    "expansion": 1.0,
    "prefix_len": 1,
    "task_variants": 2,
}


def small_set(directory: Path) -> Path:
    """Three tasks that fill and one that mirrors."""
    tasks = {f"fill-{i}": fill_task(i) for i in range(3)} | {"mirror": mirror_task(9)}
    file = write_tasks(directory / "made.json", tasks)
    build_arc(ArcRequest(ARCS[0], evaluate=(file,)), directory / "set", Progress(disable=True))
    return directory / "set"


def plan(task_set: Path, **changes: Any) -> Recipe:
    lane = {
        "puzzle": "arc-10x10",
        "batch_size": 4,
        "validation": str(task_set),
        "sources": [{"path": str(task_set)}],
    }
    of = {"model": PALETTE, "lanes": [lane], "optimizer_steps": 6, "validate_every": 6}
    return recipe(**of | {"halting": {"max_supervision_steps": 2}} | changes)


def trained(run: Path, made: Recipe, *, resume: Path | None = None) -> Path:
    trainer = Trainer(made, run, device=CPU)
    if resume is not None:
        trainer.resume(resume)
    trainer.train(lambda _: None, lambda: False)
    trainer.close()
    return checkpoints(run)[-1]
