"""Networks that know the same tasks become one checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from model.checkpoint import (
    CheckpointError,
    CheckpointInfo,
    load_model,
    load_voters,
    read_info,
    save_checkpoint,
)
from model.combining import combine
from model.trm import TinyRecursiveModel
from puzzles.arc import ARCS
from puzzles.arc_task import ArcTask
from puzzles.known_tasks import KNOWN_TASKS_FILE, KnownTask, read_known_tasks
from tests.model.small import MIXER, save_small, small_trm
from tests.training.arc_tasks import fill_task, mirror_task

TASKS = {"x": fill_task(0), "y": fill_task(1), "z": mirror_task(2), "made": None}
KNOWING = MIXER.model_copy(update={"prefix_len": 1, "task_variants": 2})


def knowing(
    directory: Path, names: Sequence[str], seed: int, *, canvas: int = 0, **config: Any
) -> Path:
    """A checkpoint of a network that knows these tasks."""
    spec = ARCS[canvas].spec
    made = KNOWING.model_copy(update={"tasks": len(names)} | config)
    trm = small_trm(made, spec, seed=seed)
    info = CheckpointInfo(
        name=f"seed {seed}",
        config=made,
        specs=(spec,),
        optimizer_steps=seed,
        trained_supervision_steps=2,
        metrics={"loss": 1.0},
    )
    known = [KnownTask(name, spec.name, _task(TASKS[name])) for name in names]
    state = trm.state_dict()
    save_checkpoint(directory, info, ema=state, raw=state, resume=None, known_tasks=known)
    return directory


def _task(raw: dict[str, Any] | None) -> ArcTask | None:
    return None if raw is None else ArcTask.read(raw)


def rows(trm: TinyRecursiveModel, *places: int) -> list[torch.Tensor]:
    table = trm.state_dict()["body.tasks"]
    return [table[i] for place in places for i in (2 * place, 2 * place + 1)]


def test_what_all_know_is_kept_with_the_rows_of_each(tmp_path: Path) -> None:
    first = knowing(tmp_path / "first", ("made", "x", "y", "z"), 1)
    second = knowing(tmp_path / "second", ("z", "x", "made"), 2)
    info = combine((first, second), tmp_path / "both")
    assert (info.name, info.optimizer_steps, info.metrics) == ("seed 1", 1, {})
    assert read_info(tmp_path / "both") == info
    known = read_known_tasks(tmp_path / "both" / KNOWN_TASKS_FILE)
    assert [task.name for task in known] == ["x", "z"]
    [voter] = load_voters(tmp_path / "both")
    for found, made, places in (
        (load_model(tmp_path / "both"), load_model(first), (1, 3)),
        (voter, load_model(second), (1, 0)),
    ):
        assert torch.equal(torch.stack(rows(found, 0, 1)), torch.stack(rows(made, *places)))
        for name, weights in found.state_dict().items():
            assert name == "body.tasks" or torch.equal(weights, made.state_dict()[name])
    third = knowing(tmp_path / "third", ("x",), 3)
    combine((tmp_path / "both", third), tmp_path / "all", name="all three")
    assert read_info(tmp_path / "all").name == "all three"
    voters = load_voters(tmp_path / "all")
    assert torch.equal(rows(voters[0], 0)[1], rows(load_model(second), 1)[1])
    assert torch.equal(rows(voters[1], 0)[1], rows(load_model(third), 0)[1])


def test_networks_of_other_sizes_vote_too(tmp_path: Path) -> None:
    first = knowing(tmp_path / "first", ("x", "y"), 1)
    wide = knowing(tmp_path / "wide", ("y", "x", "z"), 2, hidden_size=16, latent_recursions=2)
    info = combine((first, wide), tmp_path / "both")
    [voter] = load_voters(tmp_path / "both")
    assert (info.config.hidden_size, info.voters) == (8, (voter.config,))
    wider = load_model(wide)
    assert voter.config == wider.config.model_copy(update={"tasks": 2})
    assert torch.equal(torch.stack(rows(voter, 0, 1)), torch.stack(rows(wider, 1, 0)))


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    first = knowing(tmp_path / "first", ("x", "y"), 1)
    for name, other, said in (
        ("views", knowing(tmp_path / "views", ("x",), 2, task_variants=3), "task_variants 3 in p"),
        (
            "cell",
            knowing(tmp_path / "cell", ("x",), 2, cell="attention"),
            "cell attention in place",
        ),
        ("canvas", knowing(tmp_path / "canvas", ("x",), 2, canvas=1), "arc-15x15 in place of arc"),
        ("none", save_small(small_trm(MIXER, ARCS[0].spec), tmp_path / "none"), "knows no tasks"),
        ("apart", knowing(tmp_path / "apart", ("z", "made"), 2), "no task in common"),
    ):
        with pytest.raises(CheckpointError, match=said) as caught:
            combine((first, other), tmp_path / "out")
        assert name == "apart" or name in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileExistsError):
        combine((first,), first)
