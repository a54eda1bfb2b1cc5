"""Tasks on disk: a directory that keeps what may be trained on apart from what may not.

tasks.json     per task its name, source, demonstrations and questions: all that training opens
answers.json   the answers to the questions: for validation and evaluation alone
task_set.json  what it is, written last
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from pydantic import Field

from puzzles.arc_task import ArcTask, InvalidTaskError, Pair
from puzzles.kind import Grid
from training.set_files import (
    DatasetError,
    SetInfo,
    check_file,
    file_sha256,
    read_info,
    written_aside,
)

FORMAT_VERSION = 1
# Of tasks that are only trained on: nobody asks them. No file has such a name.
MADE_SOURCE = "ponder/made"
TASK_SET_FILE = "task_set.json"
TASKS_FILE, ANSWERS_FILE = "tasks.json", "answers.json"


class TaskSetInfo(SetInfo, frozen=True, extra="forbid"):
    """What `task_set.json` says."""

    format_version: int = FORMAT_VERSION
    puzzle: str  # PuzzleSpec.name, the canvas that all grids fit
    tasks: int = Field(gt=0)
    sources: tuple[str, ...]
    provenance: tuple[str, ...]
    sha256: dict[str, str]  # by file name

    @classmethod
    def read(cls, directory: Path) -> "TaskSetInfo":
        """Raises: DatasetError naming the file and what is wrong with it."""
        path = directory / TASK_SET_FILE
        made_by = "build a task set with `ponder data arc`"
        return read_info(cls, path, version=FORMAT_VERSION, made_by=made_by)


@final
@dataclass(frozen=True)
class NamedTask:
    """A task with its name and the file that it came from; its answers are None unless asked."""

    name: str
    source: str
    task: ArcTask


@final
@dataclass(frozen=True)
class TaskSet:
    """All tasks of a directory, in the order of their rows in a task table."""

    info: TaskSetInfo
    tasks: tuple[NamedTask, ...]

    @classmethod
    def open(
        cls, directory: Path, *, puzzle: str | None = None, with_answers: bool = False
    ) -> "TaskSet":
        """Read a directory after checking its files against their sha256.

        with_answers: for evaluation alone. Raises: DatasetError if anything is missing, damaged,
        or for another canvas than `puzzle` (a `PuzzleSpec.name`).
        """
        info = TaskSetInfo.read(directory)
        if puzzle is not None and info.puzzle != puzzle:
            raise DatasetError(f"{directory}: holds {info.puzzle}, expected {puzzle}")
        listed = _read(directory, TASKS_FILE, info)
        answers = _read(directory, ANSWERS_FILE, info) if with_answers else {}
        try:
            tasks = tuple(_named(entry, answers.get(entry["name"], [])) for entry in listed)
        except (InvalidTaskError, KeyError, TypeError) as error:
            raise DatasetError(f"{directory / TASKS_FILE}: damaged: {error}") from error
        return cls(info, tasks)


def write_task_set(
    directory: Path, tasks: Sequence[NamedTask], *, puzzle: str, provenance: Sequence[str]
) -> TaskSetInfo:
    """Write a task set aside, `task_set.json` last, then rename it to `directory`.

    Raises: DatasetError if `directory` exists already.
    """
    contents = {
        TASKS_FILE: [_entry(task) for task in tasks],
        ANSWERS_FILE: {task.name: list(map(_rows, task.task.answers)) for task in tasks},
    }
    with written_aside(directory) as aside:
        for name, content in contents.items():
            (aside / name).write_text(json.dumps(content, separators=(",", ":")) + "\n")
        info = TaskSetInfo(
            puzzle=puzzle,
            tasks=len(tasks),
            sources=tuple(dict.fromkeys(task.source for task in tasks)),
            provenance=tuple(provenance),
            sha256={name: file_sha256(aside / name) for name in contents},
        )
        (aside / TASK_SET_FILE).write_text(info.model_dump_json(indent=1) + "\n")
    return info


def _entry(named: NamedTask) -> dict[str, Any]:
    return {
        "name": named.name,
        "source": named.source,
        "train": [
            {"input": _rows(pair.question), "output": _rows(pair.answer)}
            for pair in named.task.demonstrations
        ],
        "test": [{"input": _rows(question)} for question in named.task.questions],
    }


def _named(entry: dict[str, Any], answers: list[Any]) -> NamedTask:
    test = [
        {**question, "output": answers[i] if i < len(answers) else None}
        for i, question in enumerate(entry["test"])
    ]
    task = ArcTask.read({"train": entry["train"], "test": test})
    return NamedTask(entry["name"], entry["source"], task)


def _rows(grid: Grid | None) -> list[list[int]] | None:
    return None if grid is None else grid.tolist()


def _read(directory: Path, name: str, info: TaskSetInfo) -> Any:
    path = directory / name
    check_file(path, info.sha256.get(name), TASK_SET_FILE)
    return json.loads(path.read_bytes())


def answered(task: ArcTask) -> tuple[Pair, ...]:
    """A task's questions that have an answer, as pairs."""
    return tuple(
        Pair(question, answer)
        for question, answer in zip(task.questions, task.answers, strict=True)
        if answer is not None
    )
