"""Figures of an evaluation, on trajectories that are known."""

from itertools import repeat

import numpy as np
import pytest

from puzzles.restarts import Restart
from tests.training.evaluations import (
    AT_ONCE,
    BY_RESTART,
    FLICKERING,
    LATE,
    RIGHT,
    SCRIPTS,
    WRONG,
    figures_of,
    parts_of,
)
from tests.training.scripted import FOUR, Said, Script, ScriptedStepper, data, question
from training.evaluation import Evaluator, Plan, parse_counts
from training.evaluation_figures import Evaluation, GroupFigures
from training.solves import Budget, EvaluationError


def _by_step(figures: Evaluation, name: str) -> list[float | None]:
    return [getattr(at, name) for at in figures.by_step]


def test_exact_accuracy_is_that_of_the_answer_at_each_step() -> None:
    assert _by_step(figures_of(), "exact") == [0.5, 0.5, 0.5, 0.75]


def test_cell_accuracy_counts_cells() -> None:
    cells = _by_step(figures_of(), "cell_accuracy")
    assert cells == pytest.approx([1 - 2 / 64, 1 - 2 / 64, 1 - 2 / 64, 1 - 1 / 64])


def test_verified_is_what_was_verified_so_far() -> None:
    assert _by_step(figures_of(), "verified") == [0.5, 0.75, 0.75, 0.75]


def test_the_halting_curve_ends_with_the_steps_that_all_puzzles_make() -> None:
    figures = figures_of()
    assert _by_step(figures, "halted") == [0.25, 0.75, None, None]
    assert _by_step(figures, "halted_exact") == pytest.approx([1.0, 2 / 3, None, None])


def test_an_answer_that_was_given_up_is_counted() -> None:
    assert figures_of().reverted == 1


def test_compute_counts_until_the_first_verified_answer() -> None:
    # AT_ONCE 1, LATE 2, FLICKERING 1, BY_RESTART all.
    means = _by_step(figures_of(), "mean_supervision_steps")
    assert means == [1.0, (1 + 2 + 1 + 2) / 4, (1 + 2 + 1 + 3) / 4, (1 + 2 + 1 + 4) / 4]


def test_attempts_count_until_the_first_verified_answer() -> None:
    one, two = figures_of().by_attempt
    assert (one.attempts, one.verified, one.exact) == (1, 0.75, 0.75)
    assert one.mean_supervision_steps == (1 + 2 + 1 + 4) / 4
    assert (two.attempts, two.verified, two.exact) == (2, 1.0, 1.0)
    assert two.mean_supervision_steps == (1 + 2 + 1 + 4 + 3) / 4
    assert two.p99_supervision_steps == 4 + 3


def test_an_attempt_that_the_network_refutes_costs_what_it_made() -> None:
    refuting = Restart(by="noise", noise_scale=0.5, refuted_q=-0.5)  # BY_RESTART begins with -1
    two = figures_of(Plan((2, 4), (1, 2), 4, refuting)).by_attempt[1]
    assert two.verified == 0.75
    assert two.mean_supervision_steps == (1 + 2 + 1 + 4 + 1) / 4


def test_short_attempts_stand_beside_a_deep_one() -> None:
    figures = figures_of(Plan((2, 4), attempts=(1, 2), attempt_steps=3))
    assert [(at.supervision_steps, at.attempts) for at in figures.budgets] == [
        *((2, 1), (4, 1)),
        *((3, 1), (3, 2)),
    ]
    assert figures.by_attempt[0].mean_supervision_steps == (1 + 2 + 1 + 3) / 4


def test_attempts_are_as_long_as_the_first_depth_if_nobody_says() -> None:
    assert figures_of(Plan((2, 4), attempts=(1,))).attempt_steps == 2


def test_attempts_are_left_out_where_nobody_asks_for_them() -> None:
    stepper = ScriptedStepper(SCRIPTS)
    parts = Evaluator(stepper, Plan((4,)), model_name="").run(data([BY_RESTART]))
    assert [part.figures.by_attempt for part in parts] == [()]
    assert len(stepper.batches) == 4


def test_the_headline_has_each_budget_once() -> None:
    rows = [
        (at.supervision_steps, at.attempts, at.exact, at.verified) for at in figures_of().budgets
    ]
    assert rows == [(2, 1, 0.5, 0.75), (4, 1, 0.75, 0.75), (4, 2, 1.0, 1.0)]
    assert len(figures_of(Plan((2, 4))).budgets) == 2


def _groups(figures: Evaluation) -> dict[tuple[str, str], GroupFigures]:
    return {(group.by, group.name): group for group in figures.groups}


def test_groups_are_by_rating_and_by_source() -> None:
    groups = _groups(figures_of())
    assert {key: group.puzzles for key, group in groups.items()} == {
        ("all", "all"): 4,
        ("rating", "0"): 1,
        ("rating", "1-9"): 2,
        ("rating", "60+"): 1,
        ("source", "easy"): 2,
        ("source", "hard"): 2,
    }
    hard = groups["source", "hard"]
    assert [at.exact for at in hard.depth] == [0.0, 0.5]
    assert [at.verified for at in hard.depth] == [0.5, 0.5]
    assert [at.verified for at in hard.attempts] == [0.5, 1.0]
    assert hard.most.mean_supervision_steps == (1 + 4 + 3) / 2


def test_the_figures_so_far_are_told_after_every_part_and_the_last_are_of_all() -> None:
    first, last = parts_of(Plan((2, 4), (1, 2), 4, part=2))
    assert (first.figures.puzzles, first.figures.planned) == (2, 4)
    # Every second puzzle: AT_ONCE and FLICKERING.
    assert [(group.by, group.name) for group in first.figures.groups[3:]] == [
        ("source", "easy"),
        ("source", "hard"),
    ]
    assert (last.figures.puzzles, last.figures.budgets) == (4, figures_of().budgets)
    assert last.figures.groups == figures_of().groups


def test_what_stays_unsolved_is_shown_with_the_answer_believed_in_most() -> None:
    [part] = parts_of(Plan((2, 4), attempts=(1,), attempt_steps=4))
    [left] = part.unsolved
    assert (left.question, left.rating, left.source) == (BY_RESTART, 70, "hard")
    assert (left.answer, left.wrong_cells, left.halt_logit) == (WRONG, 1, 1.0)
    assert left.supervision_steps == 4
    assert parts_of()[0].unsolved == ()


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_figures_do_not_depend_on_the_batch(slots: int) -> None:
    assert figures_of(Plan((2, 4), (1, 2), 4, slots=slots)) == figures_of()


def test_a_row_that_is_done_leaves_its_slot_to_a_waiting_puzzle() -> None:
    stepper = ScriptedStepper(SCRIPTS)
    told: list[tuple[str, int, int]] = []
    puzzles = data([AT_ONCE, LATE, FLICKERING, BY_RESTART])
    evaluator = Evaluator(
        stepper,
        Plan((1, 4), slots=2),
        model_name="",
        on_step=lambda *progress: told.append(progress),
    )
    list(evaluator.run(puzzles))
    # AT_ONCE leaves after step 1 and FLICKERING takes its slot, LATE after step 2.
    assert stepper.batches == [2, 2, 1, 1, 1, 1]
    assert [done for _, done, _ in told] == [1, 3, 3, 3, 3, 4]
    assert {(what, total) for what, _, total in told} == {("part 1 of 1, one attempt", 4)}


def test_restarts_begin_from_noise_of_the_scale_asked_for() -> None:
    stepper = ScriptedStepper(SCRIPTS)
    plan = Plan((1,), (2,), 4, Restart(by="noise", noise_scale=0.25))
    list(Evaluator(stepper, plan, model_name="").run(data([BY_RESTART])))
    starts = [noise for noise in stepper.noise if len(noise)]
    assert len(starts) == 3  # the deep attempt, and two
    assert not starts[0].any()
    assert not starts[1].any()
    assert starts[2].std() == pytest.approx(0.25, rel=0.3)


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
    plan = Plan((2,), (1, 2), restart=Restart(by="views"))
    figures = figures_of(plan, scripts, data([hidden]))
    assert [at.verified for at in figures.by_attempt] == [0.0, 1.0]
    assert [at.exact for at in figures.by_attempt] == [0.0, 1.0]


def test_another_valid_solution_is_verified_but_not_exact() -> None:
    two_solutions = "12.." + "...." + "21.." + "...."  # 3 and 4 may change places
    other = RIGHT.translate(str.maketrans("34", "43"))
    scripts = {two_solutions: Script(list(repeat(Said(other, 1.0), 2)))}
    figures = figures_of(Plan((1, 2), (1,)), scripts, data([two_solutions]))
    assert figures.budgets[1].verified == 1.0
    assert figures.budgets[1].exact == 0.0
    assert figures.by_attempt[0].exact == 0.0


def test_an_evaluation_survives_json() -> None:
    figures = figures_of()
    assert Evaluation.model_validate_json(figures.model_dump_json()) == figures


def test_counts_are_read_from_a_list() -> None:
    assert parse_counts("steps", "16, 64") == (16, 64)


@pytest.mark.parametrize("text", ["", "16,", "a", "1.5", "-3"])
def test_what_is_no_list_of_counts_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match=r"attempts .*: expected numbers with commas between"):
        parse_counts("attempts", text)


@pytest.mark.parametrize("steps", [(), (0,), (64, 16), (4, 4)])
def test_steps_ascend_from_one(steps: tuple[int, ...]) -> None:
    with pytest.raises(EvaluationError, match="expected ascending numbers from 1"):
        Plan(steps)


@pytest.mark.parametrize("attempts", [(0,), (0, 1), (64, 16), (4, 4)])
def test_numbers_of_attempts_ascend_from_one(attempts: tuple[int, ...]) -> None:
    with pytest.raises(EvaluationError, match=r"attempts .*: expected ascending numbers from 1"):
        Plan((4,), attempts)


def test_attempts_slots_and_parts_are_at_least_one() -> None:
    with pytest.raises(EvaluationError, match="at least 1"):
        Budget((4,), attempts=0)
    with pytest.raises(EvaluationError, match="at least 1"):
        Plan((4,), part=0)
