"""Which engine serves a lattice: compiled code, if it agrees with the graph, or onnxruntime."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from export.manifest import BundleError, Manifest, file_sha256
from kernel.weights import LatticeWeights
from server.engine import OnnxEngine, StepInputs
from server.kernel_engine import KernelEngine
from server.loading import load_solver
from server.self_check import check_agreement
from server.settings import Settings
from tests.model.small import sudoku
from tests.server.tiny_bundle import FOUR, write_bundle

SPEC = sudoku(4)


def runtime_of(bundle: Path, **settings: object) -> list[str]:
    chosen = Settings.model_validate({"bundles": (bundle,), "threads": 1, "slots": 2} | settings)
    return [lane.runtime for lane in load_solver(chosen).loaded.lanes]


def damaged(bundle: Path, out: Path) -> Path:
    """A copy whose kernel weights are another network's, vouched for by the manifest."""
    shutil.copytree(bundle, out)
    manifest = Manifest.read(out)
    assert manifest.kernel is not None
    path = out / manifest.kernel.file
    weights = LatticeWeights.load(path)
    weights.halt_bias[:] += 3
    weights.save(path)
    entry = manifest.kernel.model_copy(update={"sha256": file_sha256(path)})
    manifest.model_copy(update={"kernel": entry}).write(out)
    return out


def test_compiled_code_serves_where_the_bundle_has_weights_for_it(
    lattice_bundle: Path,
) -> None:
    assert runtime_of(lattice_bundle)[0].startswith("compiled ")
    assert runtime_of(lattice_bundle, precision="float32") == ["compiled float32"] * 2
    assert runtime_of(lattice_bundle, runtime="onnxruntime") == ["onnxruntime cpu float32"] * 2


def test_onnxruntime_serves_where_it_has_not(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tiny", [FOUR])
    assert runtime_of(tmp_path / "tiny") == ["onnxruntime cpu float32"]
    with pytest.raises(BundleError, match="no weights for compiled code"):
        runtime_of(tmp_path / "tiny", runtime="compiled")


def test_compiled_code_that_disagrees_with_the_graph_does_not_serve(
    lattice_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"q_halt 3 apart; serve with --runtime onnxruntime"):
        load_solver(Settings(bundles=(damaged(lattice_bundle, tmp_path / "damaged"),), threads=1))


def test_both_engines_take_the_same_steps(lattice_bundle: Path) -> None:
    manifest = Manifest.read(lattice_bundle)
    assert manifest.kernel is not None
    kernel = KernelEngine.open(
        lattice_bundle, manifest.kernel, SPEC, precision="float32", threads=2
    )
    graph = OnnxEngine(lattice_bundle, manifest.graphs[0], threads=1)
    check_agreement(kernel, graph, SPEC)
    graph.reset()
    rng = np.random.default_rng(1)
    for source in ([-1, -1, -1], [2, -1, 0]):
        rows = StepInputs(
            tokens=rng.integers(1, SPEC.vocab_size, (3, SPEC.seq_len)).astype(np.int32),
            source=np.array(source),
            noise=rng.standard_normal((3, graph.state_len)).astype(np.float32),
        )
        ours, theirs = kernel.step(rows), graph.step(rows)
        np.testing.assert_array_equal(ours.answer, theirs.answer)
        np.testing.assert_allclose(ours.q_halt, theirs.q_halt, atol=1e-4)


def test_changed_kernel_weights_are_refused(lattice_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(lattice_bundle, tmp_path / "changed")
    (tmp_path / "changed" / "kernel-weights.npz").write_bytes(b"")
    with pytest.raises(BundleError, match=r"kernel-weights\.npz: sha256"):
        runtime_of(tmp_path / "changed")


def test_a_gpu_has_no_compiled_code() -> None:
    with pytest.raises(ValueError, match="runtime compiled is for the CPU, not for cuda"):
        Settings(device="cuda", runtime="compiled")
