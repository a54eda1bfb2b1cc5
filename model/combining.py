"""Several networks that know the same tasks, as one checkpoint: all of them vote.

Networks that were trained apart are wrong in different ways (docs/adr/0019).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint import (
    CheckpointError,
    CheckpointInfo,
    load_model,
    load_voters,
    read_info,
    save_checkpoint,
)
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
    networks = [
        trm.for_tasks([member.places[key] for key in keys])
        for member in members
        for trm in (load_model(member.path), *load_voters(member.path))
    ]
    info = first.info.model_copy(
        update={
            "name": name or first.info.name,
            "config": networks[0].config,
            "metrics": {},  # were of one of them
        }
    )
    save_checkpoint(
        out,
        info,
        ema=networks[0].state_dict(),
        raw=networks[0].state_dict(),
        resume=None,
        known_tasks=tuple(first.tasks[first.places[key]] for key in keys),
        voters=networks[1:],
    )
    return read_info(out)


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
    """Sizes may differ; what is asked of a network and how may not. Raises: CheckpointError."""
    ours, theirs = (
        {
            "cell": one.info.config.cell,
            "task_variants": str(one.info.config.task_variants),
            "puzzles": ", ".join(spec.name for spec in one.info.specs),
        }
        for one in (first, other)
    )
    apart = [
        f"{key} {theirs[key]} in place of {ours[key]}" for key in ours if ours[key] != theirs[key]
    ]
    if apart:
        raise CheckpointError(f"{other.path} is not like {first.path}: {'; '.join(apart)}")
