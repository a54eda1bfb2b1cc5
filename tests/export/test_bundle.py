"""What an export leaves behind, and that a failed one leaves nothing."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import export.graph_writer
from export.bundle import export_bundle
from export.contract import check_contract
from export.errors import (
    AnswerMismatchError,
    ExportError,
    NameMismatchError,
    ParityError,
    ShapeMismatchError,
)
from export.graph_writer import check_parity
from export.manifest import Accuracy, BundleError, EffortBudget, Efforts, Manifest
from export.record import read_accuracy, read_efforts, record_accuracy, record_efforts
from export.step_graph import OPSET, write_step_graph
from model.checkpoint import load_model
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from tests.model.small import MIXER, save_small, small_trm, sudoku

FIGURE = Accuracy(data="x", puzzles=10, supervision_steps=16, attempts=1, exact=0.5, verified=None)


def graph_of(bundle: Path, index: int = 0) -> onnx.ModelProto:
    return onnx.load(bundle / Manifest.read(bundle).graphs[index].file)


def copy_of(bundle: Path, to: Path) -> Path:
    to.mkdir()
    for path in bundle.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def corrupt(path: Path, name: str) -> None:
    """Negate one initializer of a graph file."""
    model = onnx.load(path)
    (found,) = [array for array in model.graph.initializer if array.name.endswith(name)]
    found.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(found), found.name))
    onnx.save(model, path)


def test_a_lattice_gets_one_graph_per_size_that_it_was_trained_on_or_not(
    lattice_bundle: Path,
) -> None:
    manifest = Manifest.read(lattice_bundle)
    assert [spec.name for spec in load_model(lattice_bundle.parent / "checkpoint").specs] == [
        "sudoku-4x4"
    ]
    assert [g.file for g in manifest.graphs] == ["step-sudoku-4x4.onnx", "step-sudoku-6x6.onnx"]
    assert [g.state_len for g in manifest.graphs] == [64, 216]
    assert manifest.opset == OPSET
    assert manifest.restart.by == "search"
    assert manifest.kernel is not None
    assert sorted(manifest.kernel.parity) == ["sudoku-4x4", "sudoku-6x6"]


@pytest.mark.parametrize("kind", ["lattice_bundle", "mixer_bundle", "task_bundle"])
def test_whole_solves_agree_and_the_manifest_says_so(
    kind: str, request: pytest.FixtureRequest
) -> None:
    for graph in Manifest.read(request.getfixturevalue(kind)).graphs:
        assert graph.parity.puzzles == graph.parity.same_answers == graph.parity.same_steps
        assert graph.parity.largest_q_halt_difference < 1e-3


@pytest.mark.parametrize("kind", ["lattice_bundle", "mixer_bundle", "task_bundle"])
def test_weights_are_stored_once(kind: str, request: pytest.FixtureRequest) -> None:
    bundle: Path = request.getfixturevalue(kind)
    trm = load_model(bundle.parent / "checkpoint")
    arrays = [numpy_helper.to_array(a) for a in graph_of(bundle).graph.initializer]
    stored = sum(array.size for array in arrays if array.dtype == np.float32)
    # Parameters and start states; besides them only rotary tables and a few constants.
    rotary = sum(b.numel() for name, b in trm.named_buffers() if name.endswith((".cos", ".sin")))
    assert stored <= sum(array.numel() for array in trm.state_dict().values()) + rotary + 64


def test_task_is_an_input_only_where_the_puzzle_has_tasks(
    task_bundle: Path, mixer_bundle: Path
) -> None:
    with_task = [value.name for value in graph_of(task_bundle).graph.input]
    without = [value.name for value in graph_of(mixer_bundle).graph.input]
    assert with_task == ["tokens", "task", "source", "noise", "y", "z"]
    assert without == ["tokens", "source", "noise", "y", "z"]


def test_a_graph_names_no_file_of_the_machine_that_made_it(lattice_bundle: Path) -> None:
    raw = (lattice_bundle / "step-sudoku-4x4.onnx").read_bytes()
    assert b".py" not in raw
    assert str(Path.cwd()).encode() not in raw


def test_every_wrong_name_is_named(lattice_bundle: Path) -> None:
    graph = graph_of(lattice_bundle).graph
    graph.input[0].name, graph.output[3].name = "question", "halt"
    with pytest.raises(NameMismatchError) as raised:
        check_contract(graph, sudoku(4), 64, 8)
    assert set(raised.value.problems) == {
        "input tokens is missing",
        "input question is unknown",
        "output q_halt is missing",
        "output halt is unknown",
    }


def test_every_wrong_shape_and_dtype_is_named(lattice_bundle: Path) -> None:
    graph = graph_of(lattice_bundle).graph
    graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    graph.output[2].type.tensor_type.shape.dim[1].dim_value = 15
    with pytest.raises(ShapeMismatchError) as raised:
        check_contract(graph, sudoku(4), 64, 8)
    assert len(raised.value.problems) == 2
    assert "input tokens is int64 ('batch', 16), expected int32" in raised.value.problems[0]
    assert "output answer is int32 ('batch', 15)" in raised.value.problems[1]


def test_a_corrupt_weight_is_a_parity_error(tmp_path: Path, lattice_bundle: Path) -> None:
    bundle = copy_of(lattice_bundle, tmp_path / "bundle")
    trm = load_model(lattice_bundle.parent / "checkpoint")
    path = bundle / "step-sudoku-4x4.onnx"
    corrupt(path, "z_start")
    with pytest.raises(ParityError):
        check_parity(trm, sudoku(4), path, 40)


def test_nothing_is_left_when_parity_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = save_small(small_trm(MIXER, sudoku(4)), tmp_path / "checkpoint")
    with_flat_q(checkpoint)

    def write_corrupt(trm: TinyRecursiveModel, spec: PuzzleSpec, path: Path) -> None:
        write_step_graph(trm, spec, path)
        corrupt(path, "z_start")

    monkeypatch.setattr(export.graph_writer, "write_step_graph", write_corrupt)
    with pytest.raises(AnswerMismatchError) as raised:
        export_bundle(checkpoint, tmp_path / "bundle", parity_puzzles=40)
    assert "cells differ" in raised.value.problems[0]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def with_flat_q(checkpoint: Path) -> None:
    """q_halt no longer depends on the state, so that only answers can tell a corrupt graph."""
    from safetensors.torch import load_file, save_file

    path = checkpoint / "ema.safetensors"
    arrays = load_file(path)
    save_file(arrays | {"halt.weight": arrays["halt.weight"] * 0}, path)


def test_a_bundle_is_never_overwritten(lattice_bundle: Path) -> None:
    before = (lattice_bundle / "manifest.json").read_bytes()
    with pytest.raises(ExportError, match="never overwritten"):
        export_bundle(lattice_bundle.parent / "checkpoint", lattice_bundle)
    assert (lattice_bundle / "manifest.json").read_bytes() == before


def test_a_changed_graph_does_not_match_its_hash(tmp_path: Path, lattice_bundle: Path) -> None:
    bundle = copy_of(lattice_bundle, tmp_path / "bundle")
    corrupt(bundle / "step-sudoku-6x6.onnx", "z_start")
    with pytest.raises(BundleError, match=r"step-sudoku-6x6\.onnx: sha256 .* manifest says"):
        Manifest.read(bundle)


def test_a_missing_graph_is_named(tmp_path: Path, lattice_bundle: Path) -> None:
    bundle = copy_of(lattice_bundle, tmp_path / "bundle")
    (bundle / "step-sudoku-4x4.onnx").unlink()
    with pytest.raises(BundleError, match=r"step-sudoku-4x4\.onnx: .* no such file"):
        Manifest.read(bundle)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"format_version": 2', '"format_version": 1', "format version 1, expected 2"),
        ('"opset"', '"opzet"', "opzet"),
        ("{", "", "Invalid JSON|Input should be"),
    ],
)
def test_a_damaged_manifest_is_refused(
    tmp_path: Path, lattice_bundle: Path, old: str, new: str, message: str
) -> None:
    path = copy_of(lattice_bundle, tmp_path / "bundle") / "manifest.json"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(BundleError, match=message):
        Manifest.read(path.parent)


def test_a_directory_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json: no such file"):
        Manifest.read(tmp_path)


def test_a_figure_is_recorded_once_per_data_and_budget(
    tmp_path: Path, lattice_bundle: Path
) -> None:
    bundle = copy_of(lattice_bundle, tmp_path / "bundle")
    better = FIGURE.model_copy(update={"exact": 0.75})
    deeper = FIGURE.model_copy(update={"supervision_steps": 64})
    record_accuracy(bundle, [FIGURE])
    record_accuracy(bundle, [better, deeper])
    assert Manifest.read(bundle).accuracy == (better, deeper)


def test_figures_of_a_wrong_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.json"
    path.write_text('[{"data": "x"}]')
    with pytest.raises(ExportError, match="puzzles"):
        read_accuracy(path)


def test_efforts_are_declared_for_the_puzzles_that_they_name(
    tmp_path: Path, lattice_bundle: Path
) -> None:
    bundle = copy_of(lattice_bundle, tmp_path / "bundle")
    first, *others = Manifest.read(bundle).graphs
    path = tmp_path / "efforts.json"
    path.write_text(f'{{"{first.spec.name}": {{"low": {{"max_steps": 3, "attempts": 2}}}}}}')
    record_efforts(bundle, read_efforts(path))
    declared, *rest = Manifest.read(bundle).graphs
    assert declared.efforts.of("low") == EffortBudget(max_steps=3, attempts=2)
    assert declared.efforts.standard == Efforts().standard
    assert rest == others


def test_efforts_of_a_puzzle_that_a_bundle_does_not_have_are_refused(lattice_bundle: Path) -> None:
    with pytest.raises(ExportError, match="no graph for sudoku-25x25; it has sudoku"):
        record_efforts(lattice_bundle, {"sudoku-25x25": Efforts()})


def test_another_cell_has_the_size_that_it_was_trained_on(tmp_path: Path) -> None:
    checkpoint = save_small(small_trm(MIXER, sudoku(4)), tmp_path / "checkpoint")
    with pytest.raises(ExportError, match="further sizes: cell 'mlp'"):
        export_bundle(checkpoint, tmp_path / "bundle", also=(sudoku(9),))
