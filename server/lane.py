"""A lane: one puzzle size, its step graph and its slots. Turns plans into tensors and back.

The scheduler decides, the engine computes, the puzzle's rules judge; a lane only carries what one
says to the other.
"""

import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar, final

import numpy as np
import numpy.typing as npt

from puzzles.kind import Grid, Grids, PuzzleKind, Verdict, View
from puzzles.restarts import Attempt, OneView, Restart, attempts_of, start_noise
from puzzles.search import Ended
from server.engine import Engine, StepInputs
from server.lane_counts import LaneCounts
from server.observing import Floats, Observer, SeenStep, confidence_of
from server.plan import FRESH, Departure, Plan, PlannedRow
from server.policy import Budget, Finish, Spent, Status, StepOutcome
from server.request_context import current_request_id
from server.scheduler import Scheduler

ScalarT = TypeVar("ScalarT", bound=np.generic)


@dataclass(frozen=True)
class SolveResult:
    """What came of one puzzle."""

    puzzle: str
    model: str
    finish: Finish
    spent: Spent
    solution: Grid | None  # (H, W), only where the status is solved
    answer: Grid | None  # (H, W), what the last supervision step said, whatever it is worth
    verdict: Verdict | None  # of the last answer; None if there was none
    halt_probability: float | None  # of the last supervision step; None if none ran
    queue_s: float
    compute_s: float


@dataclass
class Trial:
    """An attempt of a job that is in work; ended: how its last supervision step did."""

    attempt: Attempt
    ended: Ended | None = None


@final
class Job:
    """A question on its way: compared by identity, opaque to the scheduler."""

    def __init__(
        self,
        lane: "Lane",
        question: Grid,
        budget: Budget,
        arrived_s: float,
        *,
        view: View | None = None,
        first_task: int = 0,
    ) -> None:
        """view: how the only attempt sees the question [as the lane's attempts do].

        first_task: row of the task table, of the task as it is.
        """
        self.lane = lane
        self.question = question
        self.budget = budget
        self.arrived_s = arrived_s
        self.request_id = current_request_id()  # for the log, should its step fail
        self.future: Future[SolveResult] = Future()
        self.observer: Observer | None = None  # of every step; to be set before it is submitted
        self._first_task = first_task
        self._attempts = (
            attempts_of(lane.puzzle, question, lane.restart) if view is None else OneView(view)
        )
        self._trials: dict[int, Trial] = {}

    def may_divide(self) -> bool:
        """Whether it has an attempt to begin beside those it makes."""
        return self._attempts.divisible

    def begin(self, number: int, over: Sequence[int]) -> View:
        """How attempt `number` sees the question; `over`: attempts that came to nothing."""
        for ended in over:
            trial = self._trials.pop(ended)
            if trial.ended is not None:
                self._attempts.end(trial.attempt, trial.ended)
        self._trials[number] = Trial(self._attempts.begin())
        return self.view(number)

    def view(self, number: int) -> View:
        """How an attempt in work sees the question."""
        return self._trials[number].attempt.view

    def task(self, number: int) -> int:
        """Row of the task table, of the task as an attempt in work sees it."""
        return self._first_task + self.view(number).variant

    def stepped(self, number: int, ended: Ended) -> None:
        """Say how a supervision step of an attempt did, should it be the last."""
        self._trials[number].ended = ended


@dataclass(frozen=True)
class StepReport:
    """What a supervision step said of each row of its plan; answers: (B, H, W)."""

    outcomes: Sequence[StepOutcome]
    answers: Grids


@final
class Lane:
    """Everything that serves one puzzle size. Not thread-safe: the worker guards it."""

    def __init__(
        self,
        *,
        model: str,
        puzzle: PuzzleKind,
        restart: Restart,
        engine: Engine,
        scheduler: Scheduler[Job],
    ) -> None:
        self.model = model
        self.puzzle = puzzle
        self.scheduler = scheduler
        self.restart = restart
        self.counts = LaneCounts()
        self._engine = engine
        self._refuted_q = -math.inf if restart.refuted_q is None else restart.refuted_q
        spec = puzzle.spec
        # Of the rows of the step before, in its order: rows that go on take theirs from here.
        self._questions: Grids = np.empty((0, spec.height, spec.width), np.uint8)
        self._tokens = np.empty((0, spec.seq_len), np.int32)

    @property
    def name(self) -> str:
        """The puzzle's name, as `sudoku-9x9`."""
        return self.puzzle.spec.name

    @property
    def slots(self) -> int:
        """Rows of a supervision step, at most."""
        return self.scheduler.slots

    @property
    def runtime(self) -> str:
        """What runs its steps, for people."""
        return self._engine.runtime

    def warm(self) -> None:
        """Run one step of an empty grid, so that the first request finds all memory in place."""
        spec = self.puzzle.spec
        empty: Grid = np.zeros((spec.height, spec.width), np.uint8)
        self._engine.step(
            StepInputs(
                tokens=self.puzzle.encode(empty)[np.newaxis],
                source=np.array([FRESH], np.int64),
                noise=np.zeros((1, self._engine.state_len), np.float32),
                task=np.zeros(1, np.int64) if spec.uses_task else None,
            )
        )
        self._engine.reset()

    def step(self, plan: Plan[Job]) -> StepReport:
        """One supervision step of a plan's rows, each answer judged by the rules."""
        stepped = self._engine.step(self._inputs(plan.rows))
        answers = self._undo(plan.rows, self.puzzle.decode_all(stepped.answer))
        verdicts = self.puzzle.verify_all(self._questions, answers)
        if stepped.logits is not None:
            for row, logits, q_halt in zip(
                plan.rows, stepped.logits, stepped.q_halt.tolist(), strict=True
            ):
                row.job.stepped(row.attempt, Ended(logits, q_halt))
        q_halt = stepped.q_halt.tolist()
        refuted = (stepped.q_halt < self._refuted_q).tolist()
        self.counts.steps += 1
        self.counts.rows += len(plan.rows)
        report = StepReport(list(map(StepOutcome, verdicts, q_halt, refuted)), answers)
        observers = [
            (i, row.job.observer) for i, row in enumerate(plan.rows) if row.job.observer is not None
        ]
        if observers:
            _show(plan.rows, report, stepped.logits, observers)
        return report

    def _undo(self, rows: Sequence[PlannedRow[Job]], answers: Grids) -> Grids:
        """Answers of the rows' views as answers to their questions."""
        if self.restart.by != "views":
            return answers
        return np.stack(
            [
                row.job.view(row.attempt).undo(answer)
                for row, answer in zip(rows, answers, strict=True)
            ]
        )

    def reset(self) -> tuple[Job, ...]:
        """Empty the slots, after a failed step; returns the jobs that were in them."""
        self._engine.reset()
        return self.scheduler.reset()

    def result(self, departure: Departure[Job], report: StepReport | None = None) -> SolveResult:
        """What a departed job gets; `report` is of the step after which it left its slot."""
        solution = answer = outcome = None
        if report is not None and departure.row is not None:
            outcome = report.outcomes[departure.row]
            answer = report.answers[departure.row]
            if departure.finish.status is Status.solved:
                solution = answer
        left_queue_s = departure.left_s if departure.started_s is None else departure.started_s
        return SolveResult(
            puzzle=self.name,
            model=self.model,
            finish=departure.finish,
            spent=departure.spent,
            solution=solution,
            answer=answer,
            verdict=outcome.verdict if outcome else None,
            halt_probability=_probability(outcome.q_halt) if outcome else None,
            queue_s=left_queue_s - departure.arrived_s,
            compute_s=departure.left_s - left_queue_s,
        )

    def _inputs(self, rows: Sequence[PlannedRow[Job]]) -> StepInputs:
        source = np.array([row.source for row in rows], np.int64)
        noise = np.zeros((len(rows), self._engine.state_len), np.float32)
        self._questions = _continued(self._questions, source)
        self._tokens = _continued(self._tokens, source)
        for i in np.flatnonzero(source == FRESH).tolist():
            row = rows[i]
            view = row.job.begin(row.attempt, row.over)
            noise[i] = start_noise(self.restart, row.attempt, self._engine.state_len)
            self._questions[i] = row.job.question
            self._tokens[i] = self.puzzle.encode(view.question)
        task = None
        if self.puzzle.spec.uses_task:
            task = np.array([row.job.task(row.attempt) for row in rows], np.int64)
        return StepInputs(tokens=self._tokens, source=source, noise=noise, task=task)


def _show(
    rows: Sequence[PlannedRow[Job]],
    report: StepReport,
    logits: Floats | None,
    observers: Sequence[tuple[int, Observer]],
) -> None:
    """Tell the observers, each of its row, what a step said. logits: (B, S, N)."""
    watched = [i for i, _ in observers]
    confidences = None if logits is None else confidence_of(logits[watched])
    for place, (i, observer) in enumerate(observers):
        outcome = report.outcomes[i]
        seen = SeenStep(
            attempt=rows[i].attempt,
            view=rows[i].job.view(rows[i].attempt),
            answer=report.answers[i].copy(),
            verdict=outcome.verdict,
            halt_probability=_probability(outcome.q_halt),
            confidence=None if confidences is None else confidences[place].copy(),
        )
        observer(seen)


def _continued(before: npt.NDArray[ScalarT], source: npt.NDArray[np.int64]) -> npt.NDArray[ScalarT]:
    """Each row's part of the step before; fresh rows get anything, to be written over."""
    if not len(before):
        return np.empty((len(source), *before.shape[1:]), before.dtype)
    return before[source]


def _probability(logit: float) -> float | None:
    """Sigmoid, safe for any finite logit; None for a broken network's NaN."""
    return None if math.isnan(logit) else 0.5 * (1 + math.tanh(logit / 2))
