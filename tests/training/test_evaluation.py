"""Figures of an evaluation, on trajectories that are known."""

import math
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import pytest

from puzzles.restarts import Restart
from tests.training.scripted import ANSWER, FOUR, Said, Script, ScriptedStepper, data, question
from training.evaluation import calibrate, evaluate
from training.evaluation_data import EvaluationData
from training.evaluation_figures import Evaluation
from training.solves import Budget, EvaluationError, parse_steps

RIGHT = FOUR.format(ANSWER)
WRONG = f"2{RIGHT[1:]}"  # one cell of sixteen
AT_ONCE, LATE, FLICKERING, BY_RESTART = (question(cell) for cell in (1, 2, 3, 4))
SCRIPTS = {
    AT_ONCE: Script([Said(RIGHT, 2.0)] * 4),
    LATE: Script([Said(WRONG, -2.0), *[Said(RIGHT, 1.0)] * 3]),
    FLICKERING: Script(
        [Said(RIGHT, -1.0), Said(WRONG, -1.0), Said(WRONG, -1.0), Said(RIGHT, -1.0)]
    ),
    BY_RESTART: Script(
        [Said(WRONG, -2.0), Said(WRONG, 1.0), Said(WRONG, -1.0), Said(WRONG, -1.0)],
        noisy=[Said(WRONG, -1.0), Said(WRONG, -1.0), Said(RIGHT, 1.0)],
    ),
}
BUDGET = Budget((2, 4), attempts=2)


def _evaluate(
    budget: Budget = BUDGET,
    scripts: dict[str, Script] | None = None,
    puzzles: EvaluationData | None = None,
) -> Evaluation:
    return evaluate(
        ScriptedStepper(scripts or SCRIPTS),
        puzzles or data(list(SCRIPTS), ratings=(0, 5, 9, 70), sources=(0, 0, 1, 1)),
        budget,
        model_name="scripted",
        on_step=lambda *_: None,
    )


def _by_step(figures: Evaluation, name: str) -> list[float | None]:
    return [getattr(at, name) for at in figures.by_step]


def test_exact_accuracy_is_that_of_the_answer_at_each_step() -> None:
    assert _by_step(_evaluate(), "exact") == [0.5, 0.5, 0.5, 0.75]


def test_cell_accuracy_counts_cells() -> None:
    cells = _by_step(_evaluate(), "cell_accuracy")
    assert cells == pytest.approx([1 - 2 / 64, 1 - 2 / 64, 1 - 2 / 64, 1 - 1 / 64])


def test_verified_is_what_was_verified_so_far() -> None:
    assert _by_step(_evaluate(), "verified") == [0.5, 0.75, 0.75, 0.75]


def test_the_halting_curve_ends_with_the_steps_that_all_puzzles_make() -> None:
    figures = _evaluate()
    assert _by_step(figures, "halted") == [0.25, 0.75, None, None]
    assert _by_step(figures, "halted_exact") == pytest.approx([1.0, 2 / 3, None, None])


def test_an_answer_that_was_given_up_is_counted() -> None:
    assert _evaluate().reverted == 1


def test_attempts_count_until_the_first_verified_answer() -> None:
    one, two = _evaluate().by_attempt
    assert (one.attempts, one.verified, one.exact) == (1, 0.75, 0.75)
    assert one.mean_supervision_steps == (1 + 2 + 1 + 4) / 4
    assert (two.attempts, two.verified, two.exact) == (2, 1.0, 1.0)
    assert two.mean_supervision_steps == (1 + 2 + 1 + 4 + 3) / 4


def test_the_headline_has_a_row_per_budget() -> None:
    rows = [tuple(row.model_dump().values()) for row in _evaluate().budgets]
    assert rows == [(2, 1, 0.5, 0.75), (4, 1, 0.75, 0.75), (4, 2, 1.0, 1.0)]
    assert len(_evaluate(Budget((2, 4))).budgets) == 2


def test_groups_are_by_rating_and_by_source() -> None:
    groups = {(group.by, group.name): group for group in _evaluate().groups}
    counts = {key: group.puzzles for key, group in groups.items()}
    assert counts == {
        ("all", "all"): 4,
        ("rating", "0"): 1,
        ("rating", "1-9"): 2,
        ("rating", "60+"): 1,
        ("source", "easy"): 2,
        ("source", "hard"): 2,
    }
    hard = groups["source", "hard"]
    assert hard.exact == (0.0, 0.5)
    assert hard.verified == (0.5, 1.0)
    assert hard.mean_supervision_steps == (1 + 4 + 3) / 2


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_figures_do_not_depend_on_the_batch(slots: int) -> None:
    assert _evaluate(Budget((2, 4), attempts=2, slots=slots)) == _evaluate()


def test_a_row_that_is_done_leaves_its_slot_to_a_waiting_puzzle() -> None:
    stepper = ScriptedStepper(SCRIPTS)
    budget = Budget((1, 4), slots=2)
    told: list[tuple[int, int, int]] = []
    puzzles = data([AT_ONCE, LATE, FLICKERING, BY_RESTART])
    evaluate(
        stepper, puzzles, budget, model_name="", on_step=lambda *progress: told.append(progress)
    )
    # AT_ONCE leaves after step 1 and FLICKERING takes its slot, LATE after step 2.
    assert stepper.batches == [2, 2, 1, 1, 1, 1]
    assert [done for _, done, _ in told] == [1, 3, 3, 3, 3, 4]
    assert {(attempt, total) for attempt, _, total in told} == {(1, 4)}


def test_restarts_begin_from_noise_of_the_scale_asked_for() -> None:
    stepper = ScriptedStepper(SCRIPTS)
    budget = Budget((4,), attempts=2, restart=Restart(by="noise", noise_scale=0.25))
    evaluate(stepper, data([BY_RESTART]), budget, model_name="", on_step=lambda *_: None)
    starts = [noise for noise in stepper.noise if len(noise)]
    assert len(starts) == 2
    assert not starts[0].any()
    assert starts[1].std() == pytest.approx(0.25, rel=0.3)


def test_a_view_is_solved_in_its_own_terms_and_undone() -> None:
    hidden = question(4)
    puzzle = FOUR.parse(hidden)
    views = FOUR.views(puzzle, np.random.default_rng(0))
    plain, view = next(views).question, next(views).question
    solved = view + (view == 0) * (10 - view.reshape(4, 4).sum(axis=1, keepdims=True))
    scripts = {
        FOUR.format(plain): Script([Said(WRONG, -1.0)] * 2),
        FOUR.format(view): Script([Said(FOUR.format(solved.astype(np.uint8)), 1.0)] * 2),
    }
    budget = Budget((2,), attempts=2, restart=Restart(by="views"))
    figures = _evaluate(budget, scripts, data([hidden]))
    assert [at.verified for at in figures.by_attempt] == [0.0, 1.0]
    assert [at.exact for at in figures.by_attempt] == [0.0, 1.0]


def test_another_valid_solution_is_verified_but_not_exact() -> None:
    two_solutions = "12.." + "...." + "21.." + "...."  # 3 and 4 may change places
    other = RIGHT.translate(str.maketrans("34", "43"))
    scripts = {two_solutions: Script(list(repeat(Said(other, 1.0), 2)))}
    figures = _evaluate(Budget((1, 2)), scripts, data([two_solutions]))
    assert figures.budgets[-1].verified == 1.0
    assert figures.budgets[-1].exact == 0.0
    assert figures.by_attempt[0].exact == 0.0


def test_an_evaluation_survives_json() -> None:
    figures = _evaluate()
    assert Evaluation.model_validate_json(figures.model_dump_json()) == figures


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize(
    ("probabilities", "exact", "brier", "ece"),
    [
        ((0.25, 0.25), (False, True), (0.0625 + 0.5625) / 2, 0.25),
        ((0.75, 0.25), (True, False), 0.0625, 0.25),
        ((0.55, 0.58, 0.05), (True, False, False), (0.2025 + 0.3364 + 0.0025) / 3, None),
    ],
)
def test_calibration_against_hand_made_numbers(
    probabilities: Sequence[float], exact: Sequence[bool], brier: float, ece: float | None
) -> None:
    q_halt = np.array([_logit(p) for p in probabilities], np.float32)
    found = calibrate(q_halt, np.array(exact))
    assert found.brier == pytest.approx(brier, rel=1e-5)
    if ece is None:
        ece = 2 / 3 * abs(0.565 - 0.5) + 1 / 3 * 0.05
    assert found.ece == pytest.approx(ece, rel=1e-5)
    assert sum(b.count for b in found.bins) == len(exact)


def test_extreme_logits_fall_into_the_outer_bins() -> None:
    found = calibrate(np.array([-1e4, 1e4], np.float32), np.array([False, True]))
    assert [b.count for b in found.bins] == [1, *[0] * 8, 1]
    assert found.brier == 0.0


def test_steps_are_read_from_a_list() -> None:
    assert parse_steps("16, 64") == (16, 64)


@pytest.mark.parametrize("text", ["", "16,", "a", "1.5", "-3"])
def test_what_is_no_list_of_steps_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match="expected numbers with commas between"):
        parse_steps(text)


@pytest.mark.parametrize("steps", [(), (0,), (64, 16), (4, 4)])
def test_steps_ascend_from_one(steps: tuple[int, ...]) -> None:
    with pytest.raises(EvaluationError, match="expected ascending numbers from 1"):
        Budget(steps)


def test_attempts_and_slots_are_at_least_one() -> None:
    with pytest.raises(EvaluationError, match="at least 1"):
        Budget((4,), attempts=0)
