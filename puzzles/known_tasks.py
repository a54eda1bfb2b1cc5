"""The tasks whose embeddings a model holds, as a file beside its weights.

Task i of the file has the rows from i · variants on; its demonstrations are how it is recognised.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from puzzles.arc_task import ArcTask, InvalidTaskError

KNOWN_TASKS_FILE = "tasks.json"


@dataclass(frozen=True)
class KnownTask:
    """puzzle: PuzzleSpec.name of the canvas that it was trained on.

    task: None of a task that nobody asks, as it was made for training: it only has its rows.
    """

    name: str
    puzzle: str
    task: ArcTask | None


def write_known_tasks(path: Path, tasks: Sequence[KnownTask]) -> None:
    """Names, canvases and demonstrations (null where there is no task); no questions."""
    entries = [
        {"name": known.name, "puzzle": known.puzzle, "train": known.task and _shown(known.task)}
        for known in tasks
    ]
    path.write_text(json.dumps(entries, separators=(",", ":")) + "\n")


def read_known_tasks(path: Path) -> tuple[KnownTask, ...]:
    """Inverse of `write_known_tasks`. Raises: InvalidTaskError naming file and place."""
    try:
        entries = json.loads(path.read_bytes())
        return tuple(
            KnownTask(
                entry["name"],
                entry["puzzle"],
                None if entry["train"] is None else ArcTask.read(entry),
            )
            for entry in entries
        )
    except InvalidTaskError as error:
        raise InvalidTaskError(f"{path}: {error.place}", *error.problems) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidTaskError(f"{path}: {type(error).__name__}: {error}") from error


def _shown(task: ArcTask) -> list[dict[str, list[list[int]]]]:
    return [
        {"input": pair.question.tolist(), "output": pair.answer.tolist()}
        for pair in task.demonstrations
    ]
