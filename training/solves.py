"""Many puzzles through one stepper, as a server solves them, and what each did at every step.

A row leaves its slot when its puzzle is done and a waiting puzzle takes the slot before the next
supervision step, so that many steps and many attempts stay affordable.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from model.stepper import FRESH, StepAnswers, Stepper
from puzzles.kind import Grid, Verdict, View
from puzzles.restarts import Attempt, Restart, attempts_of, start_noise
from puzzles.search import Ended
from training.evaluation_data import EvaluationData

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


BY_NOISE = Restart(by="noise", noise_scale=0.5)


class EvaluationError(ValueError):
    """An evaluation that was asked for something it cannot do."""


@dataclass(frozen=True)
class Budget:
    """How long and how often each puzzle is tried.

    steps: supervision steps of an attempt to report figures at, ascending. Up to the first of them
    every puzzle runs, verified or not; up to the last only those that are not verified.
    restart: what tells an attempt from the first one.
    """

    steps: tuple[int, ...]
    attempts: int = 1
    restart: Restart = BY_NOISE
    slots: int = 32

    def __post_init__(self) -> None:
        if not self.steps or self.steps[0] < 1 or sorted(set(self.steps)) != list(self.steps):
            raise EvaluationError(f"steps {self.steps}: expected ascending numbers from 1")
        if self.attempts < 1 or self.slots < 1:
            raise EvaluationError("attempts and slots are at least 1")

    @property
    def common(self) -> int:
        """Supervision steps that every puzzle makes."""
        return self.steps[0]

    @property
    def most(self) -> int:
        """Supervision steps of a whole attempt."""
        return self.steps[-1]


@dataclass(frozen=True)
class Solves:
    """What N puzzles did in the first attempt after each of T steps, and in which they were solved.

    A puzzle that left keeps what it left with, except for q_halt, which is NaN from then on.
    """

    exact: Bools  # (N, T) every cell is the label's
    right_cells: Floats  # (N, T) share of the cells that are
    verified: Bools  # (N, T) the rules accept the answer
    q_halt: Floats  # (N, T)
    verified_at: Ints  # (N, A) first verified step of each attempt; 0 = none, or not attempted
    steps: Ints  # (N, A) supervision steps of each attempt
    found: Bools  # (N,) the first verified answer is the label
    best_answer: npt.NDArray[np.uint8]  # (N, S) of all steps, the one with the highest q_halt
    best_q: Floats  # (N,) that q_halt


def solve_all(
    stepper: Stepper, data: EvaluationData, budget: Budget, on_step: Callable[[int, int, int], None]
) -> Solves:
    """Solve every puzzle; `on_step(attempt, puzzles done, puzzles)` is told after each step."""
    shape = (len(data), budget.most)
    solves = Solves(
        exact=np.zeros(shape, np.bool_),
        right_cells=np.zeros(shape, np.float32),
        verified=np.zeros(shape, np.bool_),
        q_halt=np.full(shape, np.nan, np.float32),
        verified_at=np.zeros((len(data), budget.attempts), np.int64),
        steps=np.zeros((len(data), budget.attempts), np.int64),
        found=np.zeros(len(data), np.bool_),
        best_answer=np.zeros_like(data.answers),
        best_q=np.full(len(data), -np.inf, np.float32),
    )
    puzzles = _Puzzles(data, budget.restart)
    for attempt in range(1, budget.attempts + 1):
        unsolved = np.flatnonzero(~solves.verified_at.any(axis=1))
        one = _Attempt(stepper, puzzles, budget, attempt, solves)
        for done in one.run(unsolved):
            on_step(attempt, done, len(unsolved))
    return solves


@final
class _Puzzles:
    """The puzzles' attempts, as they stand."""

    def __init__(self, data: EvaluationData, restart: Restart) -> None:
        self.data = data
        self.restart = restart
        shape = (data.kind.spec.height, data.kind.spec.width)
        self.questions: list[Grid] = [cells.reshape(shape) for cells in data.questions]
        self._attempts = [attempts_of(data.kind, question, restart) for question in self.questions]
        self._present: dict[int, Attempt] = {}
        self.ended: dict[int, Ended] = {}  # how the last supervision step of each puzzle did

    def view(self, puzzle: int) -> View:
        """How its present attempt sees the question."""
        return self._present[puzzle].view

    def begin(self, puzzle: int) -> npt.NDArray[np.int32]:
        """Begin its next attempt; returns what that asks, as tokens (S,)."""
        attempts = self._attempts[puzzle]
        if puzzle in self.ended:
            attempts.end(self._present[puzzle], self.ended[puzzle])
        self._present[puzzle] = attempts.begin()
        return self.data.kind.encode(self.view(puzzle).question)


@final
class _Attempt:
    """One attempt of some puzzles. `rows` below are puzzle numbers, one per slot in use."""

    def __init__(
        self, stepper: Stepper, puzzles: _Puzzles, budget: Budget, attempt: int, solves: Solves
    ) -> None:
        self._stepper, self._puzzles, self._budget = stepper, puzzles, budget
        self._data = puzzles.data
        self._attempt, self._solves = attempt, solves
        self._noise = start_noise(budget.restart, attempt, stepper.state_len)
        self._tokens: dict[int, npt.NDArray[np.int32]] = {}
        refuted_q = budget.restart.refuted_q
        self._refuted_q = -np.inf if attempt == 1 or refuted_q is None else refuted_q

    def run(self, puzzles: Ints) -> Iterator[int]:
        """Make the attempt; yields after each supervision step how many puzzles are done."""
        waiting = deque(puzzles.tolist())
        rows = np.zeros(0, np.int64)
        steps, source = rows, rows  # steps made by each row; the slot it stood in before
        while waiting or len(rows):
            fresh = [waiting.popleft() for _ in range(self._budget.slots - len(rows)) if waiting]
            for puzzle in fresh:
                self._tokens[puzzle] = self._puzzles.begin(puzzle)
            rows = np.concatenate((rows, np.array(fresh, np.int64)))
            steps = np.concatenate((steps, np.zeros(len(fresh), np.int64))) + 1
            source = np.concatenate((source, np.full(len(fresh), FRESH, np.int64)))
            tokens = np.stack([self._tokens[row] for row in rows.tolist()])
            noise = np.broadcast_to(self._noise, (len(rows), len(self._noise)))
            answers = self._stepper.step(tokens, source, np.ascontiguousarray(noise))
            source = np.flatnonzero(~self._settle(rows, steps, answers))
            rows, steps = rows[source], steps[source]
            yield len(puzzles) - len(waiting) - len(rows)

    def _settle(self, rows: Ints, steps: Ints, answers: StepAnswers) -> Bools:
        """Write down what each row did; (B,) bool, which of them leave."""
        refuted = answers.q_halt < self._refuted_q
        done: Bools = refuted | (steps >= self._budget.most)
        kind, solves = self._data.kind, self._solves
        for i, (row, step) in enumerate(zip(rows.tolist(), steps.tolist(), strict=True)):
            grid = self._puzzles.view(row).undo(kind.decode(answers.answer[i]))
            right = grid.ravel() == self._data.answers[row]
            verified = kind.verify(self._puzzles.questions[row], grid) is Verdict.solved
            solves.steps[row, self._attempt - 1] = step
            if self._attempt == 1:
                self._record(row, step, right, verified, answers.q_halt[i])
            if answers.logits is not None:
                self._puzzles.ended[row] = Ended(answers.logits[i], float(answers.q_halt[i]))
            if answers.q_halt[i] > solves.best_q[row]:
                solves.best_q[row], solves.best_answer[row] = answers.q_halt[i], grid.ravel()
            if verified and not solves.verified_at[row, self._attempt - 1]:
                solves.verified_at[row, self._attempt - 1] = step
                solves.found[row] = right.all()
            # A later attempt is only there to be verified: it needs no common steps.
            if verified and (self._attempt > 1 or step >= self._budget.common):
                done[i] = True
        return done

    def _record(
        self, row: int, step: int, right: Bools, verified: bool, q_halt: np.float32
    ) -> None:
        """From this step on, until a later one says otherwise."""
        self._solves.exact[row, step - 1 :] = right.all()
        self._solves.right_cells[row, step - 1 :] = right.mean()
        self._solves.verified[row, step - 1 :] = verified
        self._solves.q_halt[row, step - 1] = q_halt
