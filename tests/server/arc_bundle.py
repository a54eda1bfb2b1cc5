"""A real, tiny bundle that knows three ARC tasks, and what it was made of."""

from collections.abc import Sequence
from pathlib import Path

from export.bundle import export_bundle
from model.checkpoint import CheckpointInfo, save_checkpoint
from model.trm import TinyRecursiveModel
from puzzles.arc import ARCS
from puzzles.arc_task import ArcTask
from puzzles.known_tasks import KnownTask
from tests.model.small import MIXER, small_trm
from tests.training.arc_tasks import fill_task, mirror_task

TEN = ARCS[0]
TASKS = {"mirror": mirror_task(0), "fill": fill_task(1), "more": fill_task(2)}
GRID = [[1, 2, 3], [4, 5, 0]]
STEPS = 2
# Of the cell that makes the smallest graph: exporting takes a time that grows with it.
KNOWING = MIXER.model_copy(update={"prefix_len": 1, "tasks": 3, "task_variants": 2})


def arc_trm() -> TinyRecursiveModel:
    return small_trm(KNOWING, TEN.spec, seed=3)


def write_arc_bundle(
    trm: TinyRecursiveModel,
    directory: Path,
    *,
    voters: Sequence[TinyRecursiveModel] = (),
    like: Path | None = None,
) -> Path:
    """Returns the bundle `directory`/bundle. like: one of the same network, which saves time."""
    info = CheckpointInfo(
        name="tiny-arc",
        config=trm.config,
        specs=trm.specs,
        optimizer_steps=1,
        trained_supervision_steps=STEPS,
    )
    known = [KnownTask(name, TEN.spec.name, ArcTask.read(raw)) for name, raw in TASKS.items()]
    state = trm.state_dict()
    checkpoint = directory / "checkpoint"
    save_checkpoint(
        checkpoint,
        info,
        ema=state,
        raw=state,
        resume=None,
        known_tasks=known,
        voters=voters,
    )
    export_bundle(checkpoint, directory / "bundle", parity_puzzles=8, like=like)
    return directory / "bundle"
