"""A lattice with attention inside units leaves as a graph and as kernel weights."""

from pathlib import Path

from export.manifest import Manifest
from kernel.weights import LatticeWeights
from tests.export.small import export_small
from tests.model.small import LATTICE, small_trm, sudoku


def test_graphs_and_kernel_weights_agree_with_the_model(tmp_path: Path) -> None:
    config = LATTICE.model_copy(update={"unit_attention": 4})
    bundle = export_small(small_trm(config, sudoku(4)), tmp_path)
    manifest = Manifest.read(bundle)
    assert manifest.kernel is not None
    (graph,) = manifest.graphs
    parities = [graph.parity, manifest.kernel.parity["sudoku-4x4"]]
    for parity in parities:
        assert parity.puzzles == parity.same_answers == parity.same_steps > 0
    assert LatticeWeights.load(bundle / manifest.kernel.file).network.unit_key == 4
