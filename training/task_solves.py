"""Answer the questions of tasks: every view is a row, the rows of a question vote."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from model.stepper import FRESH, Stepper, TorchStepper
from model.trm import TinyRecursiveModel
from puzzles.arc import Arc, cropped
from puzzles.kind import Grid, View
from puzzles.votes import Candidate, Vote, ranked

ROWS = 128  # at once


@dataclass(frozen=True)
class Question:
    """A question of the task with this name; `first_task`: its row as variant 0."""

    name: str
    index: int
    grid: Grid
    first_task: int


@dataclass(frozen=True)
class Answered:
    """The votes on a question, and the supervision steps of its rows on average."""

    question: Question
    votes: tuple[Vote, ...]
    mean_steps: float

    @cached_property
    def candidates(self) -> list[Candidate]:
        """All answers, best first."""
        return ranked(self.votes)


def answer_all(
    stepper: Stepper,
    arc: Arc,
    questions: Sequence[Question],
    *,
    views: int,
    max_steps: int,
    on_rows: Callable[[int], None] | None = None,
) -> list[Answered]:
    """Each question in `views` variants; a row stops once q says so, or after `max_steps`.

    on_rows: told how many rows are done.
    """
    rows = [
        (question, arc.view(question.grid, index))
        for question in questions
        for index in range(views)
    ]
    votes: list[list[Vote]] = []
    steps: list[int] = []
    for begin in range(0, len(rows), ROWS):
        part = rows[begin : begin + ROWS]
        found = _run(stepper, arc, part, max_steps)
        for (_, view), answer, q_halt, taken in zip(part, *found, strict=True):
            if not len(steps) % views:
                votes.append([])
            probability = 0.5 * (1 + math.tanh(float(q_halt) / 2))
            votes[-1].append(Vote(cropped(view.undo(arc.decode(answer))), probability))
            steps.append(int(taken))
        if on_rows is not None:
            on_rows(begin + len(part))
    return [
        Answered(question, tuple(cast), float(np.mean(steps[i * views : (i + 1) * views])))
        for i, (question, cast) in enumerate(zip(questions, votes, strict=True))
    ]


def answers_to(
    trm: TinyRecursiveModel,
    arc: Arc,
    name: str,
    questions: Sequence[Grid],
    *,
    views: int | None,
    max_steps: int,
) -> list[Answered]:
    """What a network answers to questions of the first task that it knows.

    views: all variants if None.
    """
    asked = [Question(name, i, grid, first_task=0) for i, grid in enumerate(questions)]
    stepper = TorchStepper(trm, arc.spec)
    views = views or trm.config.task_variants
    return answer_all(stepper, arc, asked, views=views, max_steps=max_steps)


def together(tries: Sequence[Sequence[Answered]]) -> list[Answered]:
    """Answers of several networks to the same questions: all their votes count alike."""
    return [
        Answered(
            of_one[0].question,
            tuple(vote for one in of_one for vote in one.votes),
            float(np.mean([one.mean_steps for one in of_one])),
        )
        for of_one in zip(*tries, strict=True)
    ]


def _run(
    stepper: Stepper, arc: Arc, rows: Sequence[tuple[Question, View]], max_steps: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Answer tokens (N, S), halt logits (N,) and supervision steps (N,) of each row's last step."""
    tokens = np.stack([arc.encode(view.question) for _, view in rows])
    task = np.array([question.first_task + view.variant for question, view in rows])
    answers = np.zeros_like(tokens)
    q_halt, steps = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.int64)
    left = np.arange(len(rows))
    source = np.full(len(rows), FRESH)
    for step in range(1, max_steps + 1):
        noise = np.zeros((len(left), stepper.state_len), np.float32)
        stepped = stepper.step(tokens[left], source, noise, task[left])
        answers[left], q_halt[left], steps[left] = stepped.answer, stepped.q_halt, step
        source = np.flatnonzero(stepped.q_halt <= 0)
        left = left[source]
        if not len(left):
            break
    return answers, q_halt, steps
