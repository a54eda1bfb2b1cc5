"""What a run is judged by, and when it has collapsed."""

from pathlib import Path

import pytest
import torch

from model.checkpoint import read_info
from tests.training.small_runs import data_set, recipe, train, trainer
from training.recipe import Recipe, Stop
from training.run_log import read_metrics
from training.run_state import best_checkpoint, checkpoints, newest_checkpoint, validated
from training.watch import (
    MEANINGFUL,
    TrainingCollapsedError,
    has_collapsed,
    is_best,
    watched_figure,
)

STOP = Stop(below=0.5, validations=2)


def test_the_first_watched_lane_is_judged_by_what_it_solves_at_any_step() -> None:
    first = {"b/validation_exact": 0.2, "b/validation_solved": 0.3}
    assert watched_figure(first | {"a/validation_solved": 0.9}) == 0.3


def test_a_run_of_before_is_judged_by_its_last_step() -> None:
    assert watched_figure({"b/validation_q_error": 0.1, "b/validation_exact": 0.2}) == 0.2
    assert watched_figure({"b/loss_answer": 0.1}) is None


def test_as_good_as_the_best_before_is_the_best() -> None:
    assert is_best([0.4])
    assert is_best([0.4, 0.3, 0.4])
    assert not is_best([0.4, 0.3])


def test_a_run_has_collapsed_when_it_stays_far_below_its_best() -> None:
    assert has_collapsed([0.2, 0.8, 0.39, 0.1], STOP)
    assert not has_collapsed([0.2, 0.8, 0.39, 0.4], STOP)  # half of its best is not below it
    assert not has_collapsed([0.2, 0.8, 0.1], STOP)  # once may be chance
    assert not has_collapsed([0.1], STOP)


def test_a_run_that_never_solved_anything_has_not_collapsed() -> None:
    assert not has_collapsed([0.9 * MEANINGFUL, 0.0, 0.0], STOP)


def test_a_recipe_that_does_not_say_so_never_stops_a_run() -> None:
    assert not has_collapsed([0.8, 0.0, 0.0, 0.0, 0.0], Stop())


def _plan(tmp_path: Path) -> Recipe:
    """Validated after each step; it solves most of what it is asked after 60."""
    data = str(data_set(tmp_path / "data", train=100, validation=40))
    lane = {"puzzle": "sudoku-4x4", "batch_size": 32, "sources": [{"path": data}]}
    return recipe(
        lanes=[lane | {"validation": data}],
        optimizer_steps=80,
        ema_rate=0.0,
        validate_every=10,
        stop={"below": 0.5, "validations": 2},
    )


def test_a_collapsed_run_stops_and_names_its_best_even_if_it_was_resumed(tmp_path: Path) -> None:
    run, plan = tmp_path / "run", _plan(tmp_path)
    train(trainer(plan, run), until=60)
    good = best_checkpoint(run)
    assert good is not None
    broken = trainer(plan, run)
    broken.resume(newest_checkpoint(run))
    with torch.no_grad():
        for weights in broken.trm.parameters():
            weights.normal_()
    with pytest.raises(TrainingCollapsedError, match=f"best checkpoint: {good}"):
        train(broken)
    assert [line["optimizer_step"] for line in read_metrics(run)][-1] == 80
    assert good in checkpoints(run)
    assert newest_checkpoint(run).name == "step-00000080"


def test_every_best_validation_is_saved_between_the_recipe_s_saves(tmp_path: Path) -> None:
    run, plan = tmp_path / "run", _plan(tmp_path)
    train(trainer(plan, run), until=70)
    best = best_checkpoint(run)
    assert best is not None
    assert watched_figure(read_info(best).metrics) == max(validated(run)) > MEANINGFUL
