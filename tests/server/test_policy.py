"""The ladder as a table: what becomes of a row after a supervision step."""

import math

import pytest

from puzzles.kind import Verdict
from server.policy import (
    Budget,
    Continue,
    Decision,
    Finish,
    Restart,
    Spent,
    Status,
    StepOutcome,
    StoppedBy,
    decide,
)

VERIFIED = Finish(Status.solved, StoppedBy.verified)
HALTED = Finish(Status.solved, StoppedBy.q_halt)
BUDGET_ENDED = Finish(Status.unsolved, StoppedBy.max_steps)
LATE = Finish(Status.unsolved, StoppedBy.deadline)

solved, wrong, unknown = Verdict.solved, Verdict.wrong, Verdict.unknown
BUDGET = Budget(max_steps=4, attempts=2, deadline_s=100.0)
FIRST, FIRST_OVER = Spent(1, 2, 2), Spent(1, 4, 4)
SECOND, SECOND_OVER = Spent(2, 2, 6), Spent(2, 4, 8)


@pytest.mark.parametrize(
    ("verdict", "q_halt", "spent", "now_s", "expected"),
    [
        # verified: at once, on whatever rung and however late
        (solved, -9.0, FIRST, 0.0, VERIFIED),
        (solved, -9.0, SECOND_OVER, 0.0, VERIFIED),
        (solved, -9.0, FIRST, 100.0, VERIFIED),
        # where rules check, the network's opinion changes nothing
        (wrong, 9.0, FIRST, 0.0, Continue()),
        (wrong, 9.0, FIRST_OVER, 0.0, Restart()),
        (wrong, 9.0, SECOND_OVER, 0.0, BUDGET_ENDED),
        # where they cannot, it decides
        (unknown, 0.1, FIRST, 0.0, HALTED),
        (unknown, 0.1, SECOND_OVER, 100.0, HALTED),
        (unknown, 0.0, FIRST, 0.0, Continue()),
        (unknown, math.nan, FIRST, 0.0, Continue()),
        (unknown, -0.1, SECOND_OVER, 0.0, BUDGET_ENDED),
        # deeper, then another attempt, then the end
        (wrong, -1.0, FIRST, 0.0, Continue()),
        (wrong, -1.0, FIRST_OVER, 0.0, Restart()),
        (wrong, -1.0, SECOND, 0.0, Continue()),
        (wrong, -1.0, SECOND_OVER, 0.0, BUDGET_ENDED),
        # the deadline cuts every rung but the last, which has ended by itself
        (wrong, -1.0, FIRST, 99.9, Continue()),
        (wrong, -1.0, FIRST, 100.0, LATE),
        (wrong, -1.0, FIRST_OVER, 100.0, LATE),
        (wrong, -1.0, SECOND_OVER, 100.0, BUDGET_ENDED),
    ],
)
def test_the_ladder(
    verdict: Verdict, q_halt: float, spent: Spent, now_s: float, expected: Decision
) -> None:
    assert decide(StepOutcome(verdict, q_halt), spent, BUDGET, now_s) == expected


@pytest.mark.parametrize(
    ("spent", "expected"),
    [(FIRST, Continue()), (SECOND, Restart()), (Spent(3, 1, 9), BUDGET_ENDED)],
)
def test_guesses_that_lead_nowhere_end_an_attempt(spent: Spent, expected: Decision) -> None:
    budget = Budget(max_steps=4, attempts=3)
    assert decide(StepOutcome(wrong, -9.0, refuted=True), spent, budget, 0.0) == expected


def test_without_a_deadline_time_does_not_matter() -> None:
    endless = Budget(max_steps=4, attempts=2)
    assert decide(StepOutcome(wrong, -1.0), FIRST, endless, now_s=1e12) == Continue()


def test_a_restart_keeps_the_steps_of_earlier_attempts() -> None:
    spent = Spent().after_restart().after_step().after_step().after_restart().after_step()
    assert spent == Spent(attempts=2, attempt_steps=1, steps=3)
