"""Runs that learn tasks, and what they leave behind."""

from pathlib import Path
from typing import Any

import pytest
import torch
from rich.progress import Progress
from typer.testing import CliRunner

from cli.main import app
from export.bundle import export_bundle
from export.manifest import Manifest
from model.checkpoint import load_model, read_info
from puzzles.arc import ARCS
from puzzles.known_tasks import KNOWN_TASKS_FILE, read_known_tasks
from tests.training.arc_tasks import fill_task, write_tasks
from tests.training.task_runs import ATTENTION, PALETTE, plan, small_set, trained
from training.arc_build import ArcRequest, build_arc
from training.known_table import checkpoint_of, first_tasks
from training.run_state import checkpoints


@pytest.fixture(scope="module")
def task_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_set(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def checkpoint(task_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("run"), plan(task_set))


def test_the_dataset_says_how_many_tasks_the_model_has(checkpoint: Path) -> None:
    config = read_info(checkpoint).config
    assert (config.tasks, config.table_rows) == (4, 8)
    known = read_known_tasks(checkpoint / KNOWN_TASKS_FILE)
    assert [task.name for task in known] == ["fill-0", "fill-1", "fill-2", "mirror"]
    assert all(one.puzzle == "arc-10x10" and one.task and not one.task.questions for one in known)
    assert "arc-10x10/validation_exact" in read_info(checkpoint).metrics


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": PALETTE | {"task_rows": "task"}},
        {"model": ATTENTION},
        {"tasks": {"optimizer": "sign_sgd", "averaged": False}},
    ],
    ids=["palette", "shared rows", "attention", "sign SGD"],
)
def test_a_resumed_run_is_the_run(task_set: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    made = plan(task_set, save_every=3, **changes)
    whole = trained(tmp_path / "whole", made)
    halfway = checkpoints(tmp_path / "whole")[0]
    assert read_info(halfway).optimizer_steps == 3
    again = trained(tmp_path / "again", made, resume=halfway)
    for name, weights in load_model(whole).state_dict().items():
        torch.testing.assert_close(load_model(again).state_dict()[name], weights, msg=name)


def test_made_tasks_are_learnt_and_not_told(tmp_path: Path) -> None:
    file = write_tasks(tmp_path / "tasks.json", {"fill": fill_task(0)})
    request = ArcRequest(ARCS[0], evaluate=(file,), made=2, made_pairs=3)
    build_arc(request, tmp_path / "set", Progress(disable=True))
    last = trained(tmp_path / "run", plan(tmp_path / "set"))
    assert read_info(last).config.tasks == 3
    known = read_known_tasks(last / KNOWN_TASKS_FILE)
    assert {one.name for one in known if one.task} == {"fill"}


@pytest.mark.parametrize("averaged", [True, False])
def test_task_rows_are_averaged_or_not(task_set: Path, tmp_path: Path, averaged: bool) -> None:
    last = trained(tmp_path, plan(task_set, tasks={"averaged": averaged}))
    raw, ema = (load_model(last, which).body.tasks for which in ("raw", "ema"))
    assert raw is not None
    assert ema is not None
    assert raw.any()
    assert torch.equal(raw, ema) is not averaged


def test_a_bundle_holds_the_tasks_and_the_weights(checkpoint: Path, tmp_path: Path) -> None:
    manifest = export_bundle(checkpoint, tmp_path / "bundle", parity_puzzles=8)
    assert manifest.tasks is not None
    assert (manifest.tasks.tasks, manifest.tasks.variants) == (4, 2)
    assert Manifest.read(tmp_path / "bundle") == manifest
    assert first_tasks(tmp_path / "bundle") == {"fill-0": 0, "fill-1": 2, "fill-2": 4, "mirror": 6}
    inside = load_model(checkpoint_of(tmp_path / "bundle"))
    assert inside.config == load_model(checkpoint).config


@pytest.fixture
def outputs(tmp_path: Path) -> dict[str, Path]:
    return {name: tmp_path / name for name in ("json", "submission", "picture.png")}


def test_evaluate_votes_scores_and_writes(
    checkpoint: Path, task_set: Path, outputs: dict[str, Path]
) -> None:
    command = ["evaluate", str(checkpoint), "--data", str(task_set), "--steps", "2"]
    command += ["--views", "2", "--json", str(outputs["json"])]
    command += [
        "--submission",
        str(outputs["submission"]),
        "--picture",
        str(outputs["picture.png"]),
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert '"questions": 4' in outputs["json"].read_text()
    assert '"mirror"' in outputs["submission"].read_text()
    assert outputs["picture.png"].read_bytes().startswith(b"\x89PNG")


def test_more_views_than_variants_are_refused(checkpoint: Path, task_set: Path) -> None:
    command = ["evaluate", str(checkpoint), "--data", str(task_set), "--views", "3"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code != 0
    assert "3 views: the model knows 2 variants" in result.output
