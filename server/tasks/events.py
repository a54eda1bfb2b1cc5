"""The events of a task's questions: every view of every question is a row that is told of."""

from typing import Any, Literal, final

import numpy as np
from pydantic import BaseModel, ConfigDict

from puzzles.arc import cropped
from puzzles.kind import Grid
from server.step_events import Rows, StepEvent, StepEvents, changed_cells
from server.step_feed import CountedStep
from server.tasks.voting import Ballot

NO_ANSWER: Grid = np.zeros((0, 0), np.uint8)


class TaskStartEvent(BaseModel):
    """What is being answered; `views`: of each question."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["arc"] = "arc"
    task: str
    model: str
    questions: list[Rows]
    views: int


class TaskStepEvent(StepEvent):
    """A step of one view of one question; both are counted from 0, the steps are of this view."""

    question: int
    view: int


@final
class TaskEvents(StepEvents):
    """Of all views of a task's questions. No rule can check them, and no logits are there."""

    def __init__(self, ballot: Ballot, questions: list[Any]) -> None:
        """questions: as they were asked, which `prepare_ballot` has checked."""
        self._ballot = ballot
        self._questions: list[Rows] = questions
        self._before: dict[int, Grid] = {}  # by job

    @property
    def start(self) -> TaskStartEvent:
        return TaskStartEvent(
            task=self._ballot.rows.rows.name,
            model=self._ballot.model,
            questions=self._questions,
            views=self._ballot.views,
        )

    def step(self, counted: CountedStep) -> TaskStepEvent:
        seen = counted.seen
        question, view = divmod(counted.job, self._ballot.views)
        before = self._before.get(counted.job)
        if before is None:
            before = np.array(self._questions[question], np.uint8)
        inside = cropped(seen.answer)
        grid = self._ballot.rows.there.undo(inside) if inside.size else NO_ANSWER
        self._before[counted.job] = grid
        return TaskStepEvent(
            question=question,
            view=view,
            attempt=seen.attempt,
            step=counted.step,
            attempt_step=counted.attempt_step,
            grid=grid.tolist() if grid.size else None,
            changed=changed_cells(before, grid),
            confidence=None,
            halt_probability=seen.halt_probability,
            verdict=seen.verdict,
            assumed=[],
        )
