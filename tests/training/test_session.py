"""`ponder train` as a person types it: its messages, its signals, its failures."""

import json
import os
import signal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

import cli.training
from cli.main import app
from model.checkpoint import weights_file
from tests.training.small_runs import data_set, recipe
from training.recipe import Recipe
from training.run_log import METRICS_FILE, read_metrics
from training.run_state import newest_checkpoint
from training.session import StopFlag, run_training, short_figures
from training.trainer import Progress


def _toml(value: Any) -> str:
    """A value in TOML notation; a table inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    return json.dumps(value)


def _write(directory: Path, plan: Recipe) -> Path:
    path = directory / "small.toml"
    dumped = plan.model_dump(mode="json", exclude_none=True)
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in dumped.items()))
    return path


def _train(directory: Path, *arguments: str, **changes: Any) -> Result:
    path = _write(directory, recipe(**{"optimizer_steps": 4, "log_every": 2} | changes))
    run = str(directory / "run")
    return CliRunner().invoke(app, ["train", str(path), "--out", run, *arguments])


def test_a_finished_run_prints_its_figures_and_its_checkpoint(tmp_path: Path) -> None:
    result = _train(tmp_path)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("2/4  ")
    assert "steps/s  loss " in lines[0]
    assert lines[-1] == f"checkpoint: {tmp_path / 'run' / 'step-00000004'}"


def test_sigterm_stops_in_a_resumable_state(tmp_path: Path) -> None:
    class Terminated(Console):
        """A log reader that sends SIGTERM after the first figures."""

        def print(self, *_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    plan, run, cpu = recipe(log_every=2), tmp_path / "run", torch.device("cpu")
    before = signal.getsignal(signal.SIGTERM)
    outcome = run_training(plan, run, resume=False, device=cpu, console=Terminated(quiet=True))
    assert (outcome.optimizer_step, outcome.finished) == (2, False)
    assert outcome.checkpoint.name == "step-00000002"
    assert signal.getsignal(signal.SIGTERM) is before
    outcome = run_training(plan, run, resume=True, device=cpu, console=Console(quiet=True))
    assert (outcome.optimizer_step, outcome.finished) == (20, True)
    assert [line["optimizer_step"] for line in read_metrics(run)] == list(range(2, 21, 2))


def test_a_stopped_run_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting(Console):
        """Ctrl-C comes with the first figures."""

        def print(self, *objects: Any, **how: Any) -> None:
            super().print(*objects, **how)
            if "steps/s" in str(objects[0]):
                os.kill(os.getpid(), signal.SIGINT)

    said = StringIO()
    monkeypatch.setattr(cli.training, "console", Interrupting(file=said, width=200))
    assert _train(tmp_path).exit_code == 0
    assert said.getvalue().splitlines()[1:] == [
        "stopped at optimizer step 2 of 4; resume with the same command and --resume",
        f"checkpoint: {tmp_path / 'run' / 'step-00000002'}",
    ]


def test_the_second_ctrl_c_is_no_longer_caught() -> None:
    stop = StopFlag()
    with stop.installed():
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def _fails(result: Result, message: str) -> None:
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_an_unknown_recipe_key_is_one_line(tmp_path: Path) -> None:
    result = _train(tmp_path, "--set", "optimizer.rate=1")
    _fails(result, "small.toml: optimizer.rate: Extra inputs are not permitted")


def test_an_empty_data_set_is_one_line(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", validation=0)
    source = {"path": str(data), "split": "validation"}
    result = _train(tmp_path, lanes=[{"puzzle": "sudoku-4x4", "sources": [source]}])
    _fails(result, "split 'validation' is empty")
    assert not (tmp_path / "run").exists()


def test_more_extra_givens_than_cells_are_one_line(tmp_path: Path) -> None:
    source = {"generate": True, "extra_givens": [0, 17]}
    result = _train(tmp_path, lanes=[{"puzzle": "sudoku-4x4", "sources": [source]}])
    _fails(result, "extra givens 0-17")


def test_an_unknown_device_is_one_line(tmp_path: Path) -> None:
    _fails(_train(tmp_path, "--device", "toaster"), "'toaster' is no device")
    _fails(_train(tmp_path, "--device", "cuda:99"), "no device 'cuda:99' here")


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    _train(tmp_path)
    _fails(_train(tmp_path), "holds a run already: --resume it, or choose another --out")


def test_nothing_to_resume_is_one_line(tmp_path: Path) -> None:
    _fails(_train(tmp_path, "--resume"), "no checkpoint (step-…) in this directory")


def test_resuming_with_another_recipe_is_one_line(tmp_path: Path) -> None:
    _train(tmp_path)
    result = _train(tmp_path, "--resume", "--set", "model.hidden_size=12")
    _fails(result, "was made with another model;")


def test_a_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    _train(tmp_path)
    weights_file(newest_checkpoint(tmp_path / "run"), "raw").write_bytes(b"nothing")
    _fails(_train(tmp_path, "--resume", "--set", "optimizer_steps=9"), "raw.safetensors: damaged")


def test_divergence_is_one_line(tmp_path: Path) -> None:
    result = _train(
        tmp_path,
        schedule={"warmup": 0},
        optimizer={"lr": 1e38, "weight_decay": 0.0, "clip": 0},
        optimizer_steps=10,
    )
    _fails(result, "error: diverged: the loss is not finite at optimizer step 2; last good")


def test_a_collapse_is_one_line_and_an_exit_status_of_its_own(tmp_path: Path) -> None:
    data = str(data_set(tmp_path / "data"))
    lane = {"puzzle": "sudoku-4x4", "sources": [{"path": data}], "validation": data}
    stop = {"below": 0.5, "validations": 1}
    plan: dict[str, Any] = {"lanes": [lane], "validate_every": 2, "stop": stop}
    assert _train(tmp_path, **plan, optimizer_steps=2).exit_code == 0
    with (tmp_path / "run" / METRICS_FILE).open("a") as log:
        log.write('{"optimizer_step": 2, "sudoku-4x4/validation_solved": 1.0}\n')
    result = _train(tmp_path, "--resume", **plan)
    assert result.exit_code == 3
    assert "error: collapsed: at optimizer step 4 0.0% of" in " ".join(result.output.split())


def test_figures_are_short_and_of_one_lane() -> None:
    progress = Progress(
        7,
        {
            "optimizer_steps_per_second": 9.61,
            "learning_rate_share": 0.9,
            "sudoku-9x9/loss_answer": 0.56269,
            "sudoku-9x9/loss_halt": 0.1,
            "sudoku-9x9/halted_exact": 0.3743,
            "sudoku-9x9/halted_supervision_steps": 13.79,
            "sudoku-6x6/loss_answer": 0.1,
        },
    )
    shown = short_figures(progress.values, "sudoku-9x9")
    assert shown == "9.6 steps/s  loss 0.563  exact 37.4%  mean steps 13.8"
    assert short_figures({"sudoku-9x9/validation_exact": 0.5}, "sudoku-9x9") == "validation 50.0%"


def test_a_kernel_that_cannot_be_had_is_an_error_of_the_recipe(tmp_path: Path) -> None:
    result = _train(tmp_path, runtime="kernel", loss={"name": "stablemax"})
    assert result.exit_code == 2
    assert "runtime = 'kernel': compiled training knows the softmax loss" in result.output
