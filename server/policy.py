"""When is a row done? A ladder: verified → deeper → restarts → unsolved.

Pure: the clock, the rules and the network speak through arguments. A row climbs the ladder one
supervision step at a time; `decide` says after each of them what becomes of it.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from puzzles.kind import Verdict


class Status(StrEnum):
    """How a solve ended. There is no third way: an answer that is not checked is no solution."""

    solved = "solved"
    unsolved = "unsolved"


class StoppedBy(StrEnum):
    """Why it ended. `q_halt` only where no rule can check; `max_steps` = the whole budget."""

    verified = "verified"
    q_halt = "q_halt"
    max_steps = "max_steps"
    deadline = "deadline"


@dataclass(frozen=True)
class Budget:
    """What a job may use: supervision steps per attempt, attempts, time on the caller's clock."""

    max_steps: int
    attempts: int
    deadline_s: float = math.inf


class Spent(NamedTuple):
    """What a job has used: attempts begun, supervision steps in this attempt and in all of them."""

    attempts: int = 0
    attempt_steps: int = 0
    steps: int = 0

    def after_step(self) -> "Spent":
        """One more supervision step of the current attempt."""
        return Spent(self.attempts, self.attempt_steps + 1, self.steps + 1)

    def after_restart(self) -> "Spent":
        """A new attempt begun."""
        return Spent(self.attempts + 1, 0, self.steps)


class StepOutcome(NamedTuple):
    """What one supervision step says of one row: the rules' verdict and the halt logit.

    refuted: the network believes that what it was asked, guesses included, has no solution.
    """

    verdict: Verdict
    q_halt: float
    refuted: bool = False


@dataclass(frozen=True)
class Continue:
    """Deeper: another supervision step from where the row stands."""


@dataclass(frozen=True)
class Restart:
    """Another attempt, from another starting point or view."""


@dataclass(frozen=True)
class Finish:
    """The row leaves its slot."""

    status: Status
    stopped_by: StoppedBy


Decision = Continue | Restart | Finish

CONTINUE, RESTART = Continue(), Restart()
OUT_OF_ATTEMPTS = Finish(Status.unsolved, StoppedBy.max_steps)
OUT_OF_TIME = Finish(Status.unsolved, StoppedBy.deadline)


def decide(outcome: StepOutcome, spent: Spent, budget: Budget, now_s: float) -> Decision:
    """What becomes of a row after a supervision step, which `spent` already counts.

    The network's own opinion counts only where the rules have none: a wrong answer with a positive
    q_halt goes deeper like any other.
    """
    if outcome.verdict is Verdict.solved:
        return Finish(Status.solved, StoppedBy.verified)
    if outcome.verdict is Verdict.unknown and outcome.q_halt > 0:
        return Finish(Status.solved, StoppedBy.q_halt)
    refuted = outcome.refuted and spent.attempts > 1  # the question itself has a solution
    attempt_over = refuted or spent.attempt_steps >= budget.max_steps
    if attempt_over and spent.attempts >= budget.attempts:
        return OUT_OF_ATTEMPTS
    if now_s >= budget.deadline_s:
        return OUT_OF_TIME
    return RESTART if attempt_over else CONTINUE
