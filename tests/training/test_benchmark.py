"""What `ponder train --benchmark` says of a recipe."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import training.benchmark
from cli.main import app
from model.flops import step_flops, training_flops
from puzzles.registry import by_name
from tests.training.small_runs import STREAM, recipe
from training.benchmark import LaneSpeed, TrainingSpeed, measure_training

NINE = by_name("sudoku-9x9").spec
RECIPE = """
name = "small"
optimizer_steps = 20
precision = "float32"
model = { cell = "lattice", hidden_size = 8, latent_recursions = 2, deep_recursions = 1 }
loss = { name = "softmax" }

[[lanes]]
puzzle = "sudoku-4x4"
batch_size = 8
sources = [{ generate = true, pool = 32 }]
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.benchmark, "SECONDS", 0.0)
    monkeypatch.setattr(training.benchmark, "LEAST", 2)
    monkeypatch.setattr(training.benchmark, "GEMM_SIZE", {"cpu": 64})


def lane(puzzle: str, share: float, seconds: float, flops: int) -> LaneSpeed:
    return LaneSpeed(puzzle, "compiled", 8, share, seconds, flops)


def test_lanes_count_by_their_share_of_the_steps() -> None:
    lanes = (lane("sudoku-9x9", 0.75, 0.1, 200), lane("sudoku-4x4", 0.25, 0.02, 40))
    speed = TrainingSpeed("small", "cpu", "float32", 1000, lanes, 4000.0, 0)
    assert speed.seconds_per_step == pytest.approx(0.08)
    assert speed.recipe_seconds == pytest.approx(80)
    assert speed.share_of_gemm == pytest.approx(160 / 4000 / 0.08)


def test_every_lane_is_measured_and_nothing_is_left_behind() -> None:
    four = {"puzzle": "sudoku-4x4", "batch_size": 8, "sources": [STREAM]}
    six = {"puzzle": "sudoku-6x6", "batch_size": 4, "share": 3.0, "sources": [STREAM]}
    said: list[str] = []
    plan = recipe(lanes=[four, six], optimizer_steps=20)
    speed = measure_training(plan, torch.device("cpu"), said.append)
    assert said == ["GEMM", "sudoku-4x4", "sudoku-6x6"]
    assert [one.share for one in speed.lanes] == [0.25, 0.75]
    assert [one.flops for one in speed.lanes] == [
        8 * training_flops(plan.model, by_name("sudoku-4x4").spec),
        4 * training_flops(plan.model, by_name("sudoku-6x6").spec),
    ]
    assert speed.recipe_seconds > 0
    assert not Path("runs/small").exists()


@pytest.mark.parametrize(("deep", "passes"), [(1, 3.0), (3, 5 / 3)])
def test_only_the_last_deep_recursion_costs_a_backward_pass(deep: int, passes: float) -> None:
    config = recipe().model.model_copy(update={"deep_recursions": deep})
    ratio = training_flops(config, NINE) / step_flops(config, NINE)
    assert ratio == pytest.approx(passes, rel=0.01)


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path) -> None:
    path, out = tmp_path / "small.toml", tmp_path / "speed.json"
    path.write_text(RECIPE)
    result = CliRunner().invoke(app, ["train", str(path), "--benchmark", "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "of GEMM" in result.output
    found = json.loads(out.read_text())
    assert found["optimizer_steps_per_second"] > 0
    assert not (tmp_path / "runs").exists()
