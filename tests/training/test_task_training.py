"""Runs that learn tasks, what they leave behind, and adapting to another task from there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.progress import Progress
from typer.testing import CliRunner

from cli.main import app
from export.bundle import export_bundle
from export.manifest import Manifest
from model.checkpoint import load_model, read_info, save_checkpoint
from puzzles.arc import ARCS
from puzzles.arc_task import ArcTask
from puzzles.known_tasks import KNOWN_TASKS_FILE, read_known_tasks
from tests.training.arc_tasks import fill_task, mirror_task, write_tasks
from tests.training.small_runs import recipe
from training.adaptation import Adaptation, AdaptationPlan, AdaptationProgress, answers_of
from training.arc_build import ArcRequest, build_arc
from training.dataset import DatasetError
from training.known_table import checkpoint_of, first_tasks
from training.recipe import Recipe
from training.run_state import checkpoints
from training.trainer import Trainer

CPU = torch.device("cpu")
PALETTE = {
    "cell": "palette",
    "hidden_size": 8,
    "blocks": 1,
    "latent_recursions": 1,
    "deep_recursions": 1,
    "expansion": 1.0,
    "task_variants": 2,
}
ATTENTION = {
    "cell": "attention",
    "hidden_size": 8,
    "heads": 2,
    "blocks": 1,
    "latent_recursions": 1,
    "deep_recursions": 1,
    "expansion": 1.0,
    "prefix_len": 1,
    "task_variants": 2,
}


@pytest.fixture(scope="module")
def task_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tasks")
    tasks = {f"fill-{i}": fill_task(i) for i in range(3)} | {"mirror": mirror_task(9)}
    file = write_tasks(directory / "made.json", tasks)
    build_arc(ArcRequest(ARCS[0], evaluate=(file,)), directory / "set", Progress(disable=True))
    return directory / "set"


def plan(task_set: Path, **changes: Any) -> Recipe:
    lane = {
        "puzzle": "arc-10x10",
        "batch_size": 4,
        "validation": str(task_set),
        "sources": [{"path": str(task_set)}],
    }
    of = {"model": PALETTE, "lanes": [lane], "optimizer_steps": 6, "validate_every": 6}
    return recipe(**of | {"halting": {"max_supervision_steps": 2}} | changes)


def trained(run: Path, made: Recipe, *, resume: Path | None = None) -> Path:
    trainer = Trainer(made, run, device=CPU)
    if resume is not None:
        trainer.resume(resume)
    trainer.train(lambda _: None, lambda: False)
    trainer.close()
    return checkpoints(run)[-1]


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


def adapted(
    checkpoint: Path, raw: dict[str, Any], **settings: Any
) -> tuple[Adaptation, list[AdaptationProgress]]:
    """After 3 checks of 4 optimizer steps; time stands still until then."""
    made = AdaptationPlan.model_validate(
        {"check_every": 4, "batch_size": 4, "views": 2, "compile": False, "minutes": 1} | settings
    )
    seen: list[AdaptationProgress] = []
    adaptation = Adaptation(
        checkpoint, ArcTask.read(raw), made, device=CPU, clock=lambda: 20.0 * len(seen)
    )
    adaptation.run(seen.append, lambda: False)
    return adaptation, seen


def test_adapting_moves_the_embedding_first_and_then_the_network(checkpoint: Path) -> None:
    raw = fill_task(7)
    before = load_model(checkpoint).state_dict()
    for what, alone, moves in (
        ("embedding", {"embedding_share": 0.0}, False),
        ("network", {"embedding_share": 0.3}, True),
        ("network", {"embedding_share": 1.0, "embedding_seconds": 30.0}, True),
        ("network", {"embedding_share": 1.0, "embedding_seconds": 60.0}, False),
    ):
        adaptation, seen = adapted(checkpoint, raw, what=what, **alone)
        assert [one.optimizer_step for one in seen] == [4, 8, 12]
        after = adaptation.trm.state_dict()
        name = "body.blocks.0.own.weight"
        assert torch.equal(after[name], before[name]) is not moves
        assert not torch.equal(after["body.tasks"][0], before["body.tasks"].mean(0))


def test_a_third_demonstration_is_held_out_for_half_of_the_time(checkpoint: Path) -> None:
    _, seen = adapted(checkpoint, mirror_task(7))
    assert [one.state for one in seen] == ["held_out", "held_out", "all"]
    assert all(one.held_out is not None for one in seen)
    assert seen[1].seconds_left == 40.0
    _, seen = adapted(checkpoint, fill_task(7))  # two demonstrations only
    assert [one.state for one in seen] == ["all"] * 3
    assert all(one.held_out is None for one in seen)


def test_what_is_held_out_does_not_say_where_learning_begins(
    checkpoint: Path, tmp_path: Path
) -> None:
    far_apart = load_model(checkpoint).state_dict()
    rng = torch.Generator().manual_seed(0)
    far_apart["body.tasks"].normal_(std=3.0, generator=rng)  # it matters which task is near
    info = read_info(checkpoint)
    save_checkpoint(tmp_path / "far", info, ema=far_apart, raw=far_apart, resume=None)
    held_out, learnt = mirror_task(7), mirror_task(7)
    held_out["train"][2:] = fill_task(1)["train"][:1]
    learnt["train"][:2] = fill_task(1)["train"]
    begun = [
        Adaptation(tmp_path / "far", ArcTask.read(raw), AdaptationPlan(views=2), device=CPU).trm
        for raw in (mirror_task(7), held_out, learnt)
    ]
    asked, other_held_out, other_learnt = (trm.state_dict()["body.tasks"] for trm in begun)
    assert torch.equal(asked, other_held_out)
    assert not torch.equal(asked, other_learnt)


def test_what_was_adapted_is_a_checkpoint_that_answers_the_same(
    checkpoint: Path, tmp_path: Path
) -> None:
    adaptation, _ = adapted(checkpoint, fill_task(7))
    adaptation.save(tmp_path / "saved", "mine")
    assert first_tasks(tmp_path / "saved") == {"mine": 0}
    settings = AdaptationPlan(views=2)
    question = np.array([[3, 4]], np.uint8)
    again = load_model(tmp_path / "saved")
    [answer] = answers_of(again, adaptation.arc, "mine", (question,), settings)
    assert answer.candidates or answer.mean_steps > 0
    assert again.config.tasks == 1


def test_a_task_that_no_canvas_holds_is_refused(checkpoint: Path) -> None:
    wide = {"train": [{"input": [[1] * 11], "output": [[1]]}]}
    with pytest.raises(DatasetError, match="a side of 11 cells; the model knows arc-10x10"):
        Adaptation(checkpoint, ArcTask.read(wide), AdaptationPlan(), device=CPU)


def test_the_adapt_command(checkpoint: Path, tmp_path: Path) -> None:
    file = write_tasks(tmp_path / "many.json", {"a": fill_task(0)})
    command = [
        "adapt",
        str(checkpoint),
        str(file),
        "--name",
        "a",
        "--minutes",
        "0.001",
        "--no-compile",
    ]
    command += ["--out", str(tmp_path / "out"), "--submission", str(tmp_path / "s.json")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "no rule can check an answer" in result.output
    assert "right within two attempts:" in result.output
    assert first_tasks(tmp_path / "out") == {"a": 0}
    again = CliRunner().invoke(app, command)
    assert again.exit_code != 0
    assert "never overwritten" in again.output


def test_more_views_than_variants_are_refused(checkpoint: Path, task_set: Path) -> None:
    command = ["evaluate", str(checkpoint), "--data", str(task_set), "--views", "3"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code != 0
    assert "3 views: the model knows 2 variants" in result.output
