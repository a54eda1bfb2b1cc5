"""From a recipe to what a run works with: the model, its lanes, the tasks that it learns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.trm import TinyRecursiveModel
from puzzles.known_tasks import KnownTask
from puzzles.registry import by_name
from training.lane import TrainingLane
from training.recipe import Lane, Recipe
from training.starting import start_from
from training.task_set import MADE_SOURCE, NamedTask, TaskSet


@dataclass(frozen=True)
class Assembly:
    """shares: of the optimizer steps, by lane; known_tasks: in the order of the task table."""

    trm: TinyRecursiveModel
    lanes: tuple[TrainingLane, ...]
    shares: npt.NDArray[np.float64]
    known_tasks: tuple[KnownTask, ...]


def assemble(recipe: Recipe, device: torch.device) -> Assembly:
    """Everything at its beginning; the recipe's seed decides all of it.

    Raises: CheckpointError, DatasetError, ShapeError, RecipeError, UnsupportedError.
    """
    torch.manual_seed(recipe.seed)
    specs = tuple(by_name(lane.puzzle).spec for lane in recipe.lanes)
    tasks = [_tasks_of(lane) for lane in recipe.lanes]
    config = recipe.model.model_copy(update={"tasks": sum(map(len, tasks))})
    trm = TinyRecursiveModel(config, specs).to(device)
    known = tuple(
        KnownTask(named.name, lane.puzzle, None if named.source == MADE_SOURCE else named.task)
        for lane, learnt in zip(recipe.lanes, tasks, strict=True)
        for named in learnt
    )
    if recipe.start_from is not None:
        start_from(trm, recipe.start_from, known)
    lanes, first = [], 0
    for i, lane in enumerate(recipe.lanes):
        seed = recipe.seed + 1000 * i
        first_task = first * config.task_variants
        lanes.append(
            TrainingLane(
                trm, recipe, lane, seed=seed, device=device, tasks=tasks[i], first_task=first_task
            )
        )
        first += len(tasks[i])
    shares = np.array([lane.share for lane in recipe.lanes])
    return Assembly(trm, tuple(lanes), shares / shares.sum(), known)


def averaged_model(trm: TinyRecursiveModel, recipe: Recipe) -> AveragedModel:
    """The moving average of a model's weights; the task table is the model's own if told so."""
    ema = AveragedModel(trm, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_rate)).eval()
    if not recipe.tasks.averaged:
        assert isinstance(ema.module, TinyRecursiveModel)
        ema.module.body.tasks = trm.body.tasks
    return ema


def _tasks_of(lane: Lane) -> tuple[NamedTask, ...]:
    """Every task of the lane's sources. Raises: DatasetError."""
    if not by_name(lane.puzzle).spec.uses_task:
        return ()
    sets = [TaskSet.open(source.path, puzzle=lane.puzzle) for source in lane.sources if source.path]
    return tuple(task for task_set in sets for task in task_set.tasks)
