"""A known step graph with other weights: it is the graph that a whole export writes, or refused."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import onnxscript.optimizer
import pytest
import torch
from onnx import TensorProto, numpy_helper
from typer.testing import CliRunner

from cli.main import create_app
from export.bundle import export_bundle
from export.errors import ParityError, ReweightingError
from export.graph_writer import REWEIGHTED_PARITY_STEPS, check_parity
from export.manifest import Manifest, file_sha256
from export.reweighting import NETWORK, reweight, write_reweighted_graph
from export.step_graph import write_step_graph
from model.checkpoint import load_model, load_voters, read_info
from model.trm import Carry, TinyRecursiveModel
from puzzles.arc import ARCS, Arc
from tests.model.small import MIXER, save_small, small_trm, sudoku

ARC_SMALL = Path(__file__).resolve().parents[2] / "bundles" / "arc-small"
WITH_TASKS = sudoku(4).model_copy(update={"uses_task": True})


def another(bundle: Path) -> TinyRecursiveModel:
    """Other weights for the network of a bundle's first graph; where it has tasks, for one."""
    config = read_info(bundle.parent / "checkpoint").config
    spec = Manifest.read(bundle).graphs[0].spec
    return small_trm(config.model_copy(update={"tasks": min(1, config.tasks)}), spec, seed=1)


def graph_of(bundle: Path) -> onnx.ModelProto:
    return onnx.load(bundle / Manifest.read(bundle).graphs[0].file)


def held(graph: onnx.ModelProto, name: str) -> TensorProto:
    (found,) = [one for one in graph.graph.initializer if one.name == name]
    return found


def changed_bundle(bundle: Path, to: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    """A bundle whose one graph is another, which its manifest vouches for."""
    shutil.copytree(bundle, to)
    manifest = Manifest.read(to)
    [entry] = manifest.graphs
    graph = onnx.load(to / entry.file)
    change(graph)
    onnx.save(graph, to / entry.file)
    entry = entry.model_copy(update={"sha256": file_sha256(to / entry.file)})
    manifest.model_copy(update={"graphs": (entry,)}).write(to)
    return to


def test_it_is_what_a_whole_export_writes_byte_for_byte(task_bundle: Path, tmp_path: Path) -> None:
    trm = another(task_bundle)
    write_reweighted_graph(trm, WITH_TASKS, task_bundle, tmp_path / "taken.onnx")
    write_step_graph(trm, WITH_TASKS, tmp_path / "traced.onnx")
    taken, traced = (tmp_path / f"{how}.onnx" for how in ("taken", "traced"))
    assert taken.read_bytes() == traced.read_bytes()


@pytest.mark.parametrize("kind", ["lattice_bundle", "mixer_bundle", "task_bundle"])
def test_whole_solves_are_those_of_the_model_whose_weights_it_took(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    bundle: Path = request.getfixturevalue(kind)
    trm, graph = another(bundle), Manifest.read(bundle).graphs[0]
    with pytest.raises(ParityError):
        check_parity(trm, graph.spec, bundle / graph.file, 8)
    write_reweighted_graph(trm, graph.spec, bundle, tmp_path / "step.onnx")
    assert check_parity(trm, graph.spec, tmp_path / "step.onnx", 40).same_answers == 40


def moved(tasks: int, network: int = 0) -> TinyRecursiveModel:
    """A shipped ARC network for other tasks, every weight a little elsewhere."""
    checkpoint = ARC_SMALL / "checkpoint"
    known = [load_model(checkpoint), *load_voters(checkpoint)][network]
    trm = TinyRecursiveModel(known.config.model_copy(update={"tasks": tasks}), known.specs)
    rng = torch.Generator().manual_seed(0)
    state = known.state_dict()
    state["body.tasks"] = state["body.tasks"][: trm.config.table_rows]
    trm.load_state_dict(
        {name: w + 0.05 * torch.randn(w.shape, generator=rng) for name, w in state.items()}
    )
    return trm.eval()


@pytest.mark.parametrize("network", [0, 2], ids=["first", "with maps of colours"])
@pytest.mark.parametrize("arc", ARCS, ids=lambda arc: arc.spec.name)
def test_the_shipped_arc_graphs_compute_what_pytorch_does_with_new_weights(
    arc: Arc, network: int, tmp_path: Path
) -> None:
    """On every canvas that a task may be learnt on, also those that the network never saw."""
    spec = arc.spec
    trm = moved(tasks=1, network=network).for_puzzles((spec,))
    write_reweighted_graph(trm, spec, ARC_SMALL, tmp_path / "step.onnx")
    rng = np.random.default_rng(0)
    rows, task = 3, np.array([0, 5, 7])
    tokens = rng.integers(0, spec.vocab_size, (rows, spec.seq_len), np.int32)
    y, z = rng.normal(size=(2, rows, trm.state_len(spec.seq_len), 32)).astype(np.float32)
    feed = {"tokens": tokens, "task": task, "source": np.arange(rows), "y": y, "z": z}
    feed["noise"] = np.zeros(y.shape[:2], np.float32)
    session = ort.InferenceSession(tmp_path / "step.onnx", providers=["CPUExecutionProvider"])
    y_next, z_next, answer, q_halt = session.run(None, feed)
    with torch.no_grad():
        carry = Carry(torch.from_numpy(y), torch.from_numpy(z))
        expected = trm(torch.from_numpy(tokens), carry, torch.from_numpy(task))
    np.testing.assert_allclose(y_next, expected.carry.y.numpy(), atol=1e-4)
    np.testing.assert_allclose(z_next, expected.carry.z.numpy(), atol=1e-4)
    np.testing.assert_allclose(q_halt, expected.q_halt.numpy(), atol=1e-4)
    assert (answer == expected.logits.argmax(-1).numpy()).all()


def fold(graph: onnx.ModelProto) -> None:
    """What is made of weights alone is computed, as exporters do."""
    graph.CopyFrom(onnxscript.optimizer.optimize(graph))


def fold_one_use(graph: onnx.ModelProto) -> None:
    """A weight is there, and its transpose, of which another use was made."""
    weight = held(graph, "trm.body.answer.weight")
    folded = np.ascontiguousarray(numpy_helper.to_array(weight).T)
    graph.graph.initializer.append(numpy_helper.from_array(folded, "val_1"))


def forget_the_network(graph: onnx.ModelProto) -> None:
    del graph.metadata_props[:]


def of_a_deeper_network(graph: onnx.ModelProto) -> None:
    deeper = MIXER.model_copy(update={"latent_recursions": 2})
    onnx.helper.set_model_props(graph, {NETWORK: deeper.model_dump_json()})


def of_an_unknown_network(graph: onnx.ModelProto) -> None:
    onnx.helper.set_model_props(graph, {NETWORK: '{"cell": "spiral"}'})


def misshape(graph: onnx.ModelProto) -> None:
    weight = held(graph, "trm.halt.weight")
    weight.CopyFrom(numpy_helper.from_array(np.zeros((8, 1), np.float32), weight.name))


def halve(graph: onnx.ModelProto) -> None:
    weight = held(graph, "trm.halt.weight")
    weight.CopyFrom(numpy_helper.from_array(np.zeros((1, 8), np.float16), weight.name))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (fold, r"trm\.body\.blocks\.0\.\S*weight is missing"),
        (fold_one_use, r"val_1 \(8, 6\) is no weight"),
        (forget_the_network, "does not say which network it is of"),
        (of_a_deeper_network, "is of another network: .*latent_recursions"),
        (of_an_unknown_network, "is of a network that is not known here"),
        (misshape, r"trm\.halt\.weight is float \(8, 1\), expected float \(1, 8\)"),
        (halve, r"trm\.halt\.weight is float16 \(1, 8\), expected float \(1, 8\)"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused_and_left_as_it_is(
    mixer_bundle: Path, spoil: Callable[[onnx.ModelProto], None], why: str
) -> None:
    graph = graph_of(mixer_bundle)
    spoil(graph)
    before = graph.SerializeToString()
    with pytest.raises(ReweightingError, match=why):
        reweight(graph, another(mixer_bundle))
    assert graph.SerializeToString() == before


def test_every_problem_of_a_folded_graph_is_named(mixer_bundle: Path) -> None:
    graph = graph_of(mixer_bundle)
    fold(graph)
    trm = another(mixer_bundle)
    with pytest.raises(ReweightingError) as raised:
        reweight(graph, trm)
    left = {one.name for one in graph.graph.initializer}
    lost = {f"trm.{name} is missing" for name in trm.state_dict() if f"trm.{name}" not in left}
    assert len(lost) > 3
    assert lost <= set(raised.value.problems)


def test_a_graph_of_eight_bits_is_not_taken(mixer_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(mixer_bundle, tmp_path / "bundle")
    manifest = Manifest.read(bundle)
    graphs = (manifest.graphs[0].model_copy(update={"precision": "int8"}),)
    manifest.model_copy(update={"graphs": graphs}).write(bundle)
    trm = another(mixer_bundle)
    with pytest.raises(ReweightingError, match="no float32 graph for sudoku-4x4"):
        write_reweighted_graph(trm, sudoku(4), bundle, tmp_path / "step.onnx")


def test_a_damaged_bundle_is_told(mixer_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(mixer_bundle, tmp_path / "bundle")
    (bundle / "step-sudoku-4x4.onnx").write_bytes(b"damaged")
    with pytest.raises(ReweightingError, match="sha256"):
        write_reweighted_graph(another(mixer_bundle), sudoku(4), bundle, tmp_path / "step.onnx")


def test_a_bundle_like_another_takes_its_graph_and_has_its_own_weights(
    mixer_bundle: Path, tmp_path: Path
) -> None:
    trm = another(mixer_bundle)
    checkpoint = save_small(trm, tmp_path / "checkpoint")
    [entry] = export_bundle(checkpoint, tmp_path / "bundle", like=mixer_bundle).graphs
    assert entry.parity.supervision_steps == REWEIGHTED_PARITY_STEPS
    assert entry.parity.same_answers == entry.parity.puzzles == 8
    graph = graph_of(tmp_path / "bundle")
    for name, weight in trm.state_dict().items():
        assert (numpy_helper.to_array(held(graph, f"trm.{name}")) == weight.numpy()).all()


def compute_something_else(graph: onnx.ModelProto) -> None:
    """Every weight is where it should be; a constant of the code is another."""
    for one in graph.graph.initializer:
        if one.data_type == TensorProto.FLOAT and not one.dims:
            one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one) * 2, one.name))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(fold, "is missing"), (compute_something_else, "first step: puzzle 0: q_halt differs")],
)
def test_what_cannot_be_taken_is_traced(
    mixer_bundle: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[onnx.ModelProto], None],
    why: str,
) -> None:
    like = changed_bundle(mixer_bundle, tmp_path / "like", spoil)
    checkpoint = mixer_bundle.parent / "checkpoint"
    with caplog.at_level(logging.WARNING):
        export_bundle(checkpoint, tmp_path / "bundle", like=like, parity_puzzles=40)
    assert "step-sudoku-4x4.onnx is traced again: " in caplog.text
    assert why in caplog.text
    assert graph_of(tmp_path / "bundle") == graph_of(mixer_bundle)


def test_a_path_that_is_no_bundle_is_told_at_once(mixer_bundle: Path, tmp_path: Path) -> None:
    words = [mixer_bundle.parent / "checkpoint", "--out", tmp_path / "bundle"]
    words += ["--like", tmp_path / "nowhere"]
    result = CliRunner().invoke(create_app(), ["export", *map(str, words)])
    assert result.exit_code == 2
    assert "a bundle is a directory with a manifest" in result.stderr
