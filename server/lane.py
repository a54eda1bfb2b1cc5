"""A lane: one puzzle size, its step graph and its slots. Turns plans into tensors and back.

The scheduler decides, the engine computes, the puzzle's rules judge; a lane only carries what one
says to the other.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from export.manifest import Restart
from puzzles.kind import Grid, PuzzleKind, Tokens, Verdict, View
from server.engine import Engine, StepInputs
from server.policy import Budget, Finish, Spent, Status, StepOutcome
from server.scheduler import FRESH, Departure, Plan, PlannedRow, Scheduler

SEED = 0  # of start noise and views: the same question gets the same attempts again


@dataclass(frozen=True)
class SolveResult:
    """What came of one puzzle."""

    puzzle: str
    model: str
    finish: Finish
    spent: Spent
    solution: Grid | None  # (H, W), only where the status is solved
    verdict: Verdict | None  # of the last answer; None if there was none
    halt_probability: float | None  # of the last supervision step; None if none ran
    queue_s: float
    compute_s: float


@final
class Job:
    """A question on its way: compared by identity, opaque to the scheduler."""

    def __init__(self, lane: "Lane", question: Grid, budget: Budget, arrived_s: float) -> None:
        self.lane = lane
        self.question = question
        self.budget = budget
        self.arrived_s = arrived_s
        self.future: Future[SolveResult] = Future()
        self._views: Iterator[View] = lane.views(question)
        self.see_next_view()

    def see_next_view(self) -> None:
        """Ask the question another way; `view` and `tokens` are the current attempt's."""
        self.view = next(self._views)
        self.tokens: Tokens = self.lane.puzzle.encode(self.view.question)


@dataclass(frozen=True)
class StepReport:
    """What a supervision step said of each row of its plan."""

    outcomes: Sequence[StepOutcome]
    answers: Sequence[Grid]


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
        self._restart = restart
        self._engine = engine

    @property
    def name(self) -> str:
        """The puzzle's name, as `sudoku-9x9`."""
        return self.puzzle.spec.name

    def views(self, question: Grid) -> Iterator[View]:
        """How each attempt sees the question: all alike where start noise tells them apart."""
        if self._restart.by == "views":
            return self.puzzle.views(question, np.random.default_rng(SEED))
        return _same_view(question)

    def warm(self) -> None:
        """Run one step of an empty grid, so that the first request finds all memory in place."""
        spec = self.puzzle.spec
        empty: Grid = np.zeros((spec.height, spec.width), np.uint8)
        self._engine.step(
            StepInputs(
                tokens=self.puzzle.encode(empty)[np.newaxis],
                source=np.array([FRESH], np.int64),
                noise=np.zeros((1, self._engine.state_len), np.float32),
            )
        )
        self._engine.reset()

    def step(self, plan: Plan[Job]) -> StepReport:
        """One supervision step of a plan's rows, each answer judged by the rules."""
        for row in plan.rows:
            if _restarts(row):
                row.job.see_next_view()
        stepped = self._engine.step(self._inputs(plan.rows))
        outcomes, answers = [], []
        logits = stepped.q_halt.tolist()
        for row, tokens, q_halt in zip(plan.rows, stepped.answer, logits, strict=True):
            answer = row.job.view.undo(self.puzzle.decode(tokens))
            verdict = self.puzzle.verify(row.job.question, answer)
            outcomes.append(StepOutcome(verdict, q_halt))
            answers.append(answer)
        return StepReport(outcomes, answers)

    def reset(self) -> tuple[Job, ...]:
        """Empty the slots, after a failed step; returns the jobs that were in them."""
        self._engine.reset()
        return self.scheduler.reset()

    def result(self, departure: Departure[Job], report: StepReport | None = None) -> SolveResult:
        """What a departed job gets; `report` is of the step after which it left its slot."""
        solution = outcome = None
        if report is not None and departure.row is not None:
            outcome = report.outcomes[departure.row]
            if departure.finish.status is Status.solved:
                solution = report.answers[departure.row]
        left_queue_s = departure.left_s if departure.started_s is None else departure.started_s
        return SolveResult(
            puzzle=self.name,
            model=self.model,
            finish=departure.finish,
            spent=departure.spent,
            solution=solution,
            verdict=outcome.verdict if outcome else None,
            halt_probability=_probability(outcome.q_halt) if outcome else None,
            queue_s=left_queue_s - departure.arrived_s,
            compute_s=departure.left_s - left_queue_s,
        )

    def _inputs(self, rows: Sequence[PlannedRow[Job]]) -> StepInputs:
        noise = np.zeros((len(rows), self._engine.state_len), np.float32)
        if self._restart.by == "noise":
            for i, row in enumerate(rows):
                if _restarts(row):
                    noise[i] = self._start_noise(row.attempt)
        return StepInputs(
            tokens=np.stack([row.job.tokens for row in rows]),
            source=np.array([row.source for row in rows], np.int64),
            noise=noise,
        )

    def _start_noise(self, attempt: int) -> npt.NDArray[np.float32]:
        rng = np.random.default_rng((SEED, attempt))
        noise = rng.standard_normal(self._engine.state_len, np.float32)
        return noise * np.float32(self._restart.noise_scale)


def _restarts(row: PlannedRow[Job]) -> bool:
    return row.source == FRESH and row.attempt > 1


def _same_view(question: Grid) -> Iterator[View]:
    while True:
        yield View(question, undo=lambda answer: answer)


def _probability(logit: float) -> float | None:
    """Sigmoid, safe for any finite logit; None for a broken network's NaN."""
    return None if math.isnan(logit) else 0.5 * (1 + math.tanh(logit / 2))
