"""Comparing two runs of whole solves: what may differ, and which failure names what did."""

from dataclasses import replace

import numpy as np
import pytest

from export.errors import AnswerMismatchError, HaltLogitMismatchError, StepCountMismatchError
from export.parity import MAX_SUPERVISION_STEPS, TOLERANCES, Solves, compare

PUZZLES = 200


def solves() -> Solves:
    q_halt = np.full((PUZZLES, MAX_SUPERVISION_STEPS), np.nan, np.float32)
    q_halt[:, 0] = 1.0
    return Solves(
        answer=np.full((PUZZLES, 16), 2, np.int32), steps=np.ones(PUZZLES, np.int64), q_halt=q_halt
    )


def test_equal_runs_are_reported_as_equal() -> None:
    report = compare(solves(), solves(), "x")
    assert (report.same_answers, report.same_steps) == (PUZZLES, PUZZLES)
    assert report.largest_q_halt_difference == 0.0


def test_a_halt_logit_that_differs_after_the_first_step_of_one_puzzle_fails() -> None:
    other = solves()
    other.q_halt[7, 0] += 2 * TOLERANCES["float32"].first_step
    with pytest.raises(HaltLogitMismatchError, match="puzzle 7") as failure:
        compare(solves(), other, "x")
    assert len(failure.value.problems) == 1


def test_three_divergent_solves_in_a_hundred_are_counted_and_more_fail() -> None:
    other = solves()
    other.answer[:6, 0] = 3
    assert compare(solves(), other, "x").same_answers == PUZZLES - 6
    other.answer[:7, 0] = 3
    with pytest.raises(AnswerMismatchError) as failure:
        compare(solves(), other, "x")
    assert len(failure.value.problems) == 7


def test_equal_answers_after_other_numbers_of_steps_fail_by_their_own_name() -> None:
    steps = np.ones(PUZZLES, np.int64)
    steps[:7] = 2
    with pytest.raises(StepCountMismatchError, match="1 steps by PyTorch, 2 by onnxruntime"):
        compare(solves(), replace(solves(), steps=steps), "x")
