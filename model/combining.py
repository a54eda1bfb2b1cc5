"""Several networks that know the same tasks, as one checkpoint: all of them vote.

Networks of one shape that were trained apart are wrong in different ways (docs/adr/0019).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from model.checkpoint import (
    CheckpointError,
    CheckpointInfo,
    load_model,
    load_voters,
    read_info,
    save_checkpoint,
)
from model.trm import TASK_TABLE, TinyRecursiveModel
from puzzles.arc_task import InvalidTaskError
from puzzles.known_tasks import KNOWN_TASKS_FILE, KnownTask, read_known_tasks

Key = tuple[str, str, bytes]  # name, canvas and demonstrations of a task


@dataclass(frozen=True)
class _Member:
    """A checkpoint and the place of each of its tasks in its table."""

    path: Path
    info: CheckpointInfo
    places: dict[Key, int]
    tasks: tuple[KnownTask, ...]


def combine(checkpoints: Sequence[Path], out: Path, *, name: str | None = None) -> CheckpointInfo:
    """Write the averaged weights of all networks as the checkpoint `out`, the first one's first.

    Kept are the tasks that all of them know and that can be asked, in the first one's order.
    name: of the model, the first one's if None.
    Raises: CheckpointError naming what does not fit; FileExistsError.
    """
    members = [_read(path) for path in checkpoints]
    first, *others = members
    for other in others:
        _check_alike(first, other)
    keys = [key for key in first.places if all(key in other.places for other in others)]
    if not keys:
        raise CheckpointError("these checkpoints know no task in common")
    states = [
        _rows_of(trm, [member.places[key] for key in keys])
        for member in members
        for trm in (load_model(member.path), *load_voters(member.path))
    ]
    info = first.info.model_copy(
        update={
            "name": name or first.info.name,
            "config": first.info.config.model_copy(update={"tasks": len(keys)}),
            "metrics": {},  # were of one of them
        }
    )
    save_checkpoint(
        out,
        info,
        ema=states[0],
        raw=states[0],
        resume=None,
        known_tasks=tuple(first.tasks[first.places[key]] for key in keys),
        voters=states[1:],
    )
    return info


def _read(path: Path) -> _Member:
    """Raises: CheckpointError."""
    info = read_info(path)
    try:
        tasks = read_known_tasks(path / KNOWN_TASKS_FILE)
    except InvalidTaskError as error:
        raise CheckpointError(f"{path}: knows no tasks: {error}") from error
    places = {
        (known.name, known.puzzle, known.task.canonical.key): place
        for place, known in enumerate(tasks)
        if known.task is not None
    }
    return _Member(path, info, places, tasks)


def _check_alike(first: _Member, other: _Member) -> None:
    """Raises: CheckpointError."""
    ours, theirs = (one.info.config.model_dump(exclude={"tasks"}) for one in (first, other))
    apart = [
        f"{key} {theirs[key]} in place of {ours[key]}" for key in ours if ours[key] != theirs[key]
    ]
    if first.info.specs != other.info.specs:
        known = [", ".join(spec.name for spec in one.info.specs) for one in (other, first)]
        apart.append(" in place of ".join(known))
    if apart:
        raise CheckpointError(f"{other.path} is not like {first.path}: {'; '.join(apart)}")


def _rows_of(trm: TinyRecursiveModel, places: Sequence[int]) -> dict[str, Tensor]:
    """The weights, with the rows of these tasks in this order as the table."""
    state = trm.state_dict()
    by_task = state[TASK_TABLE].unflatten(0, (trm.config.tasks, -1))
    return state | {TASK_TABLE: by_task[list(places)].flatten(0, 1)}
