"""Which networks a bundle has graphs of, on which canvases, and what is in them."""

from pathlib import Path

import onnx
import pytest

import export.graph_writer
from export.bundle import export_bundle
from export.errors import ExportError
from export.manifest import Manifest, ParityReport
from model.checkpoint import CheckpointInfo, save_checkpoint
from model.config import ModelConfig
from model.trm import TASK_TABLE, TinyRecursiveModel
from puzzles.arc import ARCS
from puzzles.arc_task import ArcTask
from puzzles.kind import PuzzleSpec
from puzzles.known_tasks import KnownTask
from tests.model.small import small_trm
from tests.training.arc_tasks import fill_task, mirror_task

TEN, FIFTEEN, TWENTY = (arc.spec for arc in ARCS[:3])
PALETTE = ModelConfig(
    cell="palette", hidden_size=4, blocks=1, latent_recursions=1, deep_recursions=1, tasks=2
)
AGREED = ParityReport(
    puzzles=1,
    supervision_steps=1,
    same_answers=1,
    same_steps=1,
    largest_q_halt_difference=0.0,
)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, TinyRecursiveModel]:
    """What is traced as which file; tracing itself takes longer than all of this file."""
    found: dict[str, TinyRecursiveModel] = {}

    def write(trm: TinyRecursiveModel, _: PuzzleSpec, path: Path) -> None:
        found[path.name] = trm
        onnx.save(onnx.ModelProto(), path)

    monkeypatch.setattr(export.graph_writer, "write_step_graph", write)
    monkeypatch.setattr(export.graph_writer, "check_parity", lambda *_: AGREED)
    return found


def saved(directory: Path, *voters: ModelConfig) -> Path:
    trm = small_trm(PALETTE, TEN)
    info = CheckpointInfo(
        name="small",
        config=trm.config,
        specs=trm.specs,
        optimizer_steps=1,
        trained_supervision_steps=1,
    )
    known = [
        KnownTask(name, TEN.name, ArcTask.read(raw))
        for name, raw in (("fill", fill_task(0)), ("mirror", mirror_task(1)))
    ]
    save_checkpoint(
        directory,
        info,
        ema=trm.state_dict(),
        raw=trm.state_dict(),
        resume=None,
        known_tasks=known,
        voters=[small_trm(config, TEN, seed=i) for i, config in enumerate(voters, 1)],
    )
    return directory


def test_networks_of_one_shape_have_one_graph_of_each_further_canvas(
    tmp_path: Path, written: dict[str, TinyRecursiveModel]
) -> None:
    wider = PALETTE.model_copy(update={"hidden_size": 8})
    checkpoint = saved(tmp_path / "checkpoint", PALETTE, wider, wider)
    export_bundle(checkpoint, tmp_path / "bundle", also=(FIFTEEN, TWENTY))
    manifest = Manifest.read(tmp_path / "bundle")
    assert [graph.file for graph in manifest.graphs] == [
        "step-arc-10x10.onnx",
        "step-arc-15x15.onnx",
        "step-arc-20x20.onnx",
    ]
    assert [(graph.file, graph.hidden_size) for graph in manifest.voters] == [
        ("voter-2-arc-10x10.onnx", 4),
        ("voter-3-arc-10x10.onnx", 8),
        ("voter-3-arc-15x15.onnx", 8),
        ("voter-3-arc-20x20.onnx", 8),
        ("voter-4-arc-10x10.onnx", 8),
    ]
    assert {*written} == {graph.file for graph in (*manifest.graphs, *manifest.voters)}


def test_where_no_task_is_a_graph_knows_one(
    tmp_path: Path, written: dict[str, TinyRecursiveModel]
) -> None:
    export_bundle(saved(tmp_path / "checkpoint"), tmp_path / "bundle", also=(FIFTEEN,))
    whole, other = (written[f"step-{spec.name}.onnx"] for spec in (TEN, FIFTEEN))
    assert (whole.config.tasks, other.config.tasks) == (2, 1)
    table = whole.state_dict()[TASK_TABLE]
    assert (other.state_dict()[TASK_TABLE] == table[: len(table) // 2]).all()
    for name, weight in other.state_dict().items():
        assert name == TASK_TABLE or (weight == whole.state_dict()[name]).all()


def test_a_list_of_tasks_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "checkpoint")
    (checkpoint / "tasks.json").write_text("[")
    with pytest.raises(ExportError, match=r"tasks\.json"):
        export_bundle(checkpoint, tmp_path / "bundle")
    assert not list(tmp_path.glob("bundle*"))
