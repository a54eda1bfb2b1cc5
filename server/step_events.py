"""The events of a puzzle that is solved before one's eyes: docs/streaming.md is their contract."""

from abc import ABC, abstractmethod
from typing import final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from puzzles.kind import Grid, Verdict, View
from server.lane import Job
from server.observing import Floats
from server.step_feed import CountedStep

CONFIDENCE_DIGITS = 4

Rows = list[list[int]]
Cells = list[tuple[int, int]]  # row and column, counted from 1


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StartEvent(_Wire):
    """What is being solved, and what may be spent on it."""

    kind: str
    puzzle: str
    model: str
    question: Rows
    max_steps: int
    attempts: int


class AssumedCell(_Wire):
    """A guess that an attempt takes for given."""

    row: int
    column: int
    value: int


class StepEvent(_Wire):
    """The answer after one supervision step, and what the network and the rules think of it."""

    attempt: int
    step: int = Field(description="Over all attempts, counts from 1; a gap was left out.")
    attempt_step: int
    grid: Rows | None
    changed: Cells = Field(description="Against the step event before, in the first: the question.")
    confidence: list[list[float]] | None
    halt_probability: float | None
    verdict: Verdict
    assumed: list[AssumedCell]


class StepEvents(ABC):
    """Tells one reader of the jobs of one request."""

    @property
    @abstractmethod
    def start(self) -> BaseModel:
        """The first event."""

    @abstractmethod
    def step(self, counted: CountedStep) -> BaseModel:
        """The event of a step; those of a job come in order, some may be left out."""


@final
class PuzzleEvents(StepEvents):
    """Of one puzzle that the rules can check."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._puzzle = job.lane.puzzle
        self._before = job.question

    @property
    def start(self) -> StartEvent:
        return StartEvent(
            kind=self._puzzle.spec.kind,
            puzzle=self._job.lane.name,
            model=self._job.lane.model,
            question=self._puzzle.rows(self._job.question),
            max_steps=self._job.budget.max_steps,
            attempts=self._job.budget.attempts,
        )

    def step(self, counted: CountedStep) -> StepEvent:
        seen, before = counted.seen, self._before
        self._before = seen.answer
        return StepEvent(
            attempt=seen.attempt,
            step=counted.step,
            attempt_step=counted.attempt_step,
            grid=self._puzzle.rows(seen.answer),
            changed=changed_cells(before, seen.answer),
            confidence=self._confidence(seen.confidence, seen.view),
            halt_probability=seen.halt_probability,
            verdict=seen.verdict,
            assumed=self._assumed(seen.view),
        )

    def _confidence(self, confidence: Floats | None, view: View) -> list[list[float]] | None:
        """Per cell of the question; None too for a broken network's NaN."""
        if confidence is None or not np.isfinite(confidence).all():
            return None
        cells = confidence.reshape(self._job.question.shape).astype(np.float64)
        if self._job.lane.restart.by == "views":
            cells = cells.ravel()[_places(view)]
        rows: list[list[float]] = np.round(cells, CONFIDENCE_DIGITS).tolist()
        return rows

    def _assumed(self, view: View) -> list[AssumedCell]:
        asked = view.undo(view.question)
        return [
            AssumedCell(row=int(r) + 1, column=int(c) + 1, value=int(asked[r, c]))
            for r, c in np.argwhere(asked != self._job.question)
        ]


def changed_cells(before: Grid, grid: Grid) -> Cells:
    """Cells of `grid` that are not as in `before`, which may have another size or no cells."""
    height, width = np.minimum(before.shape, grid.shape)
    differs = np.ones(grid.shape, bool)
    differs[:height, :width] = grid[:height, :width] != before[:height, :width]
    return [(int(r) + 1, int(c) + 1) for r, c in np.argwhere(differs)]


def _places(view: View) -> npt.NDArray[np.int64]:
    """(H, W): which cell of the view, flat, each cell of the question became.

    Undoing may rename symbols, but 0 stays 0: so a cell's number is taken back bit by bit.
    """
    cells = np.arange(view.question.size).reshape(view.question.shape)
    places = np.zeros_like(cells)
    for bit in range(int(cells.max()).bit_length()):
        marks = (cells >> bit & 1).astype(np.uint8)
        places |= (view.undo(marks) != 0).astype(np.int64) << bit
    return places
