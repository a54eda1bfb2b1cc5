"""Runs that begin from the weights of another one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from rich.progress import Progress

from export.lattice_weights import lattice_weights
from kernel.weights import KERNEL_FILE
from model.checkpoint import CheckpointError, load_model
from model.trm import TinyRecursiveModel
from puzzles.arc import ARCS
from tests.training.arc_tasks import fill_task, mirror_task, write_tasks
from tests.training.small_runs import LATTICE, MIXER, recipe
from tests.training.test_task_training import PALETTE as VARIANTS
from training.arc_build import ArcRequest, build_arc
from training.assembly import assemble
from training.recipe import Recipe, RecipeError
from training.run_state import checkpoints
from training.trainer import Trainer

CPU = torch.device("cpu")
PALETTE = VARIANTS | {"task_rows": "task"}


def task_set(directory: Path, names: tuple[str, ...]) -> Path:
    made = {"fill": fill_task(1), "mirror": mirror_task(9), "other": fill_task(5)}
    file = write_tasks(directory / "made.json", {name: made[name] for name in names})
    build_arc(ArcRequest(ARCS[0], evaluate=(file,)), directory / "set", Progress(disable=True))
    return directory / "set"


def plan(tasks: Path, **changes: Any) -> Recipe:
    lane = {"puzzle": "arc-10x10", "batch_size": 4, "sources": [{"path": str(tasks)}]}
    of = {"model": PALETTE, "lanes": [lane], "optimizer_steps": 3}
    return recipe(**of | {"halting": {"max_supervision_steps": 2}} | changes)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("first")
    trainer = Trainer(plan(task_set(directory, ("fill", "mirror"))), directory / "run", device=CPU)
    trainer.train(lambda _: None, lambda: False)
    trainer.close()
    return directory / "run"


def tables(trm: TinyRecursiveModel) -> torch.Tensor:
    assert trm.body.tasks is not None
    return trm.body.tasks.detach()


def test_known_tasks_keep_their_embeddings_and_new_ones_begin_as_the_mean(
    first_run: Path, tmp_path: Path
) -> None:
    tasks = task_set(tmp_path, ("mirror", "other"))
    started = assemble(plan(tasks, start_from=str(first_run)), CPU)
    before = load_model(checkpoints(first_run)[-1])
    fill, mirror = tables(before)
    by_name = dict(zip([k.name for k in started.known_tasks], tables(started.trm), strict=True))
    assert torch.equal(by_name["mirror"], mirror)
    assert not torch.equal(fill, mirror)
    assert torch.allclose(by_name["other"], (fill + mirror) / 2)
    for name, weights in before.state_dict().items():
        if name != "body.tasks":
            assert torch.equal(started.trm.state_dict()[name], weights)


def test_recursions_may_differ_from_the_run_that_is_begun_from(
    first_run: Path, tmp_path: Path
) -> None:
    deeper = PALETTE | {"latent_recursions": 2}
    tasks = task_set(tmp_path, ("fill", "mirror"))
    started = assemble(plan(tasks, start_from=str(first_run), model=deeper), CPU)
    assert started.trm.config.latent_recursions == 2


def test_another_shape_is_told_key_by_key(first_run: Path, tmp_path: Path) -> None:
    wider = PALETTE | {"hidden_size": 16}
    tasks = task_set(tmp_path, ("fill", "mirror"))
    with pytest.raises(RecipeError, match="hidden_size is 8 there, 16 here"):
        assemble(plan(tasks, start_from=str(first_run), model=wider), CPU)


def test_a_directory_without_a_checkpoint_is_an_error(tmp_path: Path) -> None:
    tasks = task_set(tmp_path, ("fill", "mirror"))
    with pytest.raises(CheckpointError, match="is this a checkpoint directory"):
        assemble(plan(tasks, start_from=str(tmp_path / "nowhere")), CPU)


@pytest.mark.parametrize("key", [0, 4])
def test_a_lattice_begins_with_the_weights_of_a_bundle(key: int, tmp_path: Path) -> None:
    model = LATTICE | {"unit_attention": key}
    before = assemble(recipe(model=model, seed=1), CPU).trm
    lattice_weights(before).save(tmp_path / KERNEL_FILE)
    started = assemble(recipe(model=model, start_from=str(tmp_path)), CPU).trm
    state = before.state_dict()
    assert all(torch.equal(weights, state[name]) for name, weights in started.state_dict().items())
    wider = model | {"hidden_size": 16}
    with pytest.raises(RecipeError, match="hidden_size is 8 there, 16 here"):
        assemble(recipe(model=wider, start_from=str(tmp_path)), CPU)
    with pytest.raises(CheckpointError, match="of a lattice, the recipe's is 'mlp'"):
        assemble(recipe(model=MIXER, start_from=str(tmp_path)), CPU)


def test_a_damaged_file_of_weights_is_an_error(tmp_path: Path) -> None:
    (tmp_path / KERNEL_FILE).write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="no weights of a lattice"):
        assemble(recipe(start_from=str(tmp_path)), CPU)
