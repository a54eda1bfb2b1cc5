"""Which rows of a model's task table stand for which task, of a checkpoint or a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint import MODEL_FILE, CheckpointError, read_info
from model.config import ModelConfig
from puzzles.arc_task import InvalidTaskError
from puzzles.kind import Grid
from puzzles.known_tasks import KNOWN_TASKS_FILE, read_known_tasks
from training.dataset import DatasetError
from training.task_set import TaskSet
from training.task_solves import Question

CHECKPOINT_IN_BUNDLE = "checkpoint"


@dataclass(frozen=True)
class Asked:
    """Questions of known tasks, and the answers of those that have one."""

    questions: Sequence[Question]
    answers: dict[tuple[str, int], Grid]


def checkpoint_of(model: Path) -> Path:
    """The directory with a model's weights: itself, or that of a bundle with tasks."""
    inside = model / CHECKPOINT_IN_BUNDLE
    return inside if (inside / MODEL_FILE).exists() else model


def first_tasks(model: Path) -> dict[str, int]:
    """By name of each task that a model knows, its `task` as variant 0. Raises: CheckpointError."""
    checkpoint = checkpoint_of(model)
    variants = read_info(checkpoint).config.task_variants
    try:
        known = read_known_tasks(checkpoint / KNOWN_TASKS_FILE)
    except InvalidTaskError as error:
        raise CheckpointError(f"{model}: knows no tasks: {error}") from error
    return {task.name: i * variants for i, task in enumerate(known)}


def checked_views(config: ModelConfig, views: int | None) -> int:
    """How many views may vote; None: one for each variant of a task.

    Raises: CheckpointError for more, as these have no embeddings.
    """
    known = config.task_variants
    if views is not None and views > known:
        raise CheckpointError(f"{views} views: the model knows {known} variants of a task")
    return views or known


def questions_of(
    model: Path, task_set: TaskSet, *, names: Sequence[str] = (), limit: int | None = None
) -> Asked:
    """The answered questions of a set's tasks that a model knows; names: of these alone.

    limit: of tasks. Raises: CheckpointError; DatasetError if there are none.
    """
    rows = first_tasks(model)
    tasks = [
        named
        for named in task_set.tasks
        if named.name in rows
        and (not names or named.name in names)
        and any(answer is not None for answer in named.task.answers)
    ][:limit]
    questions, answers = [], {}
    for named in tasks:
        pairs = zip(named.task.questions, named.task.answers, strict=True)
        for i, (grid, answer) in enumerate(pairs):
            if answer is not None:
                questions.append(Question(named.name, i, grid, rows[named.name]))
                answers[named.name, i] = answer
    if not questions:
        raise DatasetError("no answered question of a task that the model knows")
    return Asked(questions, answers)
