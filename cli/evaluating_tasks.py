"""`ponder evaluate` for task sets: pass@k by voting, the competition's file, a picture."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress
from rich.table import Table

from cli.console import console, errors

if TYPE_CHECKING:
    from model.stepper import Stepper
    from training.task_scores import TaskScores
    from training.task_solves import Answered

STDOUT = Path("-")


@dataclass(frozen=True)
class TaskRequest:
    """What to evaluate, how deep, and which files to write; names: only these tasks."""

    model: Path
    data: Path
    views: int | None
    max_steps: int
    device: str
    threads: int | None
    names: tuple[str, ...]
    limit: int | None
    json: Path | None
    submission: Path | None
    picture: Path | None


def evaluate_tasks(request: TaskRequest, progress: Progress) -> None:
    """Answer every question of a task set whose task the model knows, and say what it is worth.

    Raises: BundleError, CheckpointError, DatasetError, DeviceError, EvaluationError.
    """
    from export.subject import open_subject, open_voters
    from model.checkpoint import read_info
    from puzzles.arc import Arc
    from puzzles.registry import by_name
    from training.known_table import checked_views, checkpoint_of, questions_of
    from training.task_picture import draw_tasks
    from training.task_scores import scored, submission
    from training.task_set import TaskSet
    from training.task_solves import answer_all, together

    task_set = TaskSet.open(request.data, with_answers=True)
    arc = by_name(task_set.info.puzzle)
    assert isinstance(arc, Arc)
    config = read_info(checkpoint_of(request.model)).config
    views = checked_views(config, request.views)
    asked = questions_of(request.model, task_set, names=request.names, limit=request.limit)
    subject = open_subject(
        request.model, arc.spec.name, threads=request.threads, device=request.device
    )
    voters = open_voters(
        request.model, arc.spec.name, threads=request.threads, device=request.device
    )
    steppers = [subject.stepper, *voters]
    rows = len(asked.questions) * views
    bar = progress.add_task("views", total=len(steppers) * rows)

    def ask(number: int, stepper: "Stepper") -> "list[Answered]":
        return answer_all(
            stepper,
            arc,
            asked.questions,
            views=views,
            max_steps=request.max_steps,
            on_rows=lambda done: progress.update(bar, completed=number * rows + done),
        )

    answered = together([ask(i, stepper) for i, stepper in enumerate(steppers)])
    all_views = len(steppers) * views
    scores = scored(answered, asked.answers, views=all_views, max_steps=request.max_steps)
    _hand_over(scores, request, subject.name)
    if request.submission is not None:
        request.submission.write_text(json.dumps(submission(answered)) + "\n")
    if request.picture is not None:
        draw_tasks(answered, asked.answers, request.picture)


def _hand_over(scores: "TaskScores", request: TaskRequest, name: str) -> None:
    table = Table(
        "tasks", "questions", "views", "mean steps", *(f"pass@{k}" for k in scores.pass_at)
    )
    table.title = f"{name} on {request.data.name}, voting over {scores.views} views"
    table.add_row(
        str(scores.tasks),
        str(scores.questions),
        str(scores.views),
        f"{scores.mean_steps:.1f}",
        *(f"{share:.1%}" for share in scores.pass_at.values()),
    )
    (errors if request.json == STDOUT else console).print(table)
    text = scores.model_dump_json(indent=1)
    if request.json == STDOUT:
        console.print(text, highlight=False)
    elif request.json is not None:
        request.json.write_text(text + "\n")
