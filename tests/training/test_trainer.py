"""A run: it learns, logs, saves what is good, and never saves what is not."""

import math
from pathlib import Path

import pytest
import torch

from model.checkpoint import load_model, read_info
from model.trm import Carry, StepOutput
from tests.training.small_runs import LATTICE, data_set, puzzles, recipe, train, trainer
from training.run_log import read_metrics
from training.run_state import checkpoint_path, checkpoints, newest_checkpoint
from training.trainer import Trainer, TrainingDivergedError


def test_a_tiny_lattice_learns_to_solve_small_puzzles(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", train=300, validation=64)
    lane = {
        "puzzle": "sudoku-4x4",
        "batch_size": 32,
        "sources": [{"path": str(data)}],
        "validation": str(data),
    }
    plan = recipe(
        optimizer_steps=150,
        model=LATTICE | {"hidden_size": 16, "latent_recursions": 3},
        lanes=[lane],
        halting={"max_supervision_steps": 4},
        ema_rate=0.9,
        log_every=25,
    )
    train(trainer(plan, tmp_path / "run"))
    lines = read_metrics(tmp_path / "run")
    assert lines[-1]["sudoku-4x4/loss_answer"] < 0.2 * lines[0]["sudoku-4x4/loss_answer"]
    assert lines[-1]["sudoku-4x4/validation_exact"] > 0.9


def test_what_is_logged_is_reported_and_written(tmp_path: Path) -> None:
    reported = train(trainer(recipe(optimizer_steps=12), tmp_path))
    assert [progress.optimizer_step for progress in reported] == [5, 10, 12, 12]
    last = read_metrics(tmp_path)[-1]
    assert last == {"optimizer_step": 12, **reported[-2].values, **reported[-1].values}
    lane = {name for name in last if name.startswith("sudoku-4x4/")}
    assert lane == {
        "sudoku-4x4/loss_answer",
        "sudoku-4x4/loss_halt",
        "sudoku-4x4/halted_exact",
        "sudoku-4x4/halted_supervision_steps",
    }
    assert 1 <= last["sudoku-4x4/halted_supervision_steps"] <= 3
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_two_newest_checkpoints_and_the_best_one_are_kept(tmp_path: Path) -> None:
    lane = {
        "puzzle": "sudoku-4x4",
        "batch_size": 4,
        "sources": [{"path": str(data_set(tmp_path / "data"))}],
        "validation": str(tmp_path / "data"),
    }
    plan = recipe(lanes=[lane], save_every=2, validate_every=4)
    train(trainer(plan, tmp_path / "run"))
    kept = {
        read_info(path).optimizer_steps: read_info(path) for path in checkpoints(tmp_path / "run")
    }
    assert {18, 20} <= kept.keys()
    assert len(kept) <= 3
    assert kept[18].metrics == {}  # not measured on these weights
    assert 0 <= kept[20].metrics["sudoku-4x4/validation_exact"] <= 1


def test_the_averaged_weights_follow_the_raw_ones(tmp_path: Path) -> None:
    made = trainer(recipe(ema_rate=0.5, optimizer_steps=4), tmp_path)
    averaged = None
    for step in range(1, 5):
        train(made, until=step)
        raw = made.trm.halt_bias.detach()
        averaged = raw.clone() if averaged is None else 0.5 * averaged + 0.5 * raw
        torch.testing.assert_close(made.averaged.halt_bias, averaged)
    saved = load_model(newest_checkpoint(tmp_path))
    torch.testing.assert_close(saved.halt_bias, averaged)


def test_a_loss_that_is_not_finite_stops_the_run_at_its_step(tmp_path: Path) -> None:
    made = trainer(recipe(log_every=10), tmp_path)
    train(made, until=3)
    with torch.no_grad():
        made.trm.halt_bias.fill_(math.nan)
    with pytest.raises(TrainingDivergedError) as raised:
        train(made)
    assert "not finite at optimizer step 4;" in str(raised.value)
    assert f"last good checkpoint: {tmp_path / 'step-00000003'}" in str(raised.value)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000003"]


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    made = trainer(recipe(), tmp_path)
    train(made, until=2)
    made.optimizer_step = 3
    with torch.no_grad():
        made.averaged.body.roles[0, 0] = math.inf
    with pytest.raises(TrainingDivergedError, match=r"averaged body\.roles not finite"):
        made.save()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002"]


def test_divergence_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    made = trainer(recipe(), tmp_path)
    with torch.no_grad():
        made.trm.halt_bias.fill_(math.nan)
    with pytest.raises(TrainingDivergedError, match=r"step 1; last good checkpoint: none"):
        train(made)


def test_validation_is_the_exact_accuracy_of_whole_solves(tmp_path: Path) -> None:
    lane = {
        "puzzle": "sudoku-4x4",
        "sources": [{"path": str(data_set(tmp_path / "data", validation=6))}],
        "validation": str(tmp_path / "data"),
    }
    made = trainer(recipe(lanes=[lane]), tmp_path / "run")
    held_out = puzzles(46)[40:]
    tokens = torch.from_numpy(held_out.questions.astype("int64")) + 1
    labels = torch.from_numpy(held_out.answers.astype("int64")) + 1
    carry = made.averaged.start(torch.zeros(6, 64))
    with torch.inference_mode():
        for _ in range(3):
            output: StepOutput = made.averaged(tokens, Carry(carry.y, carry.z))
            carry = output.carry
    right = (output.logits.argmax(-1) == labels).all(-1).float()
    metrics = made.validate()
    assert metrics["sudoku-4x4/validation_exact"] == pytest.approx(right.mean().item())
    brier = (output.q_halt.sigmoid() - right).square().mean().item()
    assert metrics["sudoku-4x4/validation_q_error"] == pytest.approx(brier, rel=1e-4)


def test_a_run_is_saved_whenever_so_many_minutes_have_passed(tmp_path: Path) -> None:
    seconds, seen = 0.0, set()

    def half_a_minute_later() -> bool:
        nonlocal seconds
        seconds += 30
        seen.update(checkpoints(tmp_path))
        return False

    plan = recipe(save_minutes=2)
    made = Trainer(plan, tmp_path, device=torch.device("cpu"), clock=lambda: seconds)
    made.train(lambda _: None, half_a_minute_later)
    made.close()
    assert sorted(seen) == [checkpoint_path(tmp_path, step) for step in (4, 8, 12, 16)]
