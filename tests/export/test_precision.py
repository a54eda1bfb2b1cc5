"""Graphs in fewer bits: smaller, within the contract, and near the model."""

from pathlib import Path

import onnx
import pytest

from export.bundle import export_bundle
from export.contract import check_contract
from export.errors import ExportError
from export.manifest import Manifest
from export.precision import reduce_precision
from tests.model.small import MIXER, save_small, small_trm, sudoku

WIDE = MIXER.model_copy(update={"hidden_size": 64, "deep_recursions": 1})


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same model in both precisions."""
    directory = tmp_path_factory.mktemp("precisions")
    checkpoint = save_small(small_trm(WIDE, sudoku(4)), directory / "checkpoint")
    for precision in ("float32", "int8"):
        export_bundle(checkpoint, directory / precision, precision=precision, parity_puzzles=20)
    return {name: directory / name for name in ("float32", "int8")}


def graph_size(bundle: Path) -> int:
    return (bundle / Manifest.read(bundle).graphs[0].file).stat().st_size


def test_int8_weights_take_less_than_half_the_space(bundles: dict[str, Path]) -> None:
    assert 2 * graph_size(bundles["int8"]) < graph_size(bundles["float32"])


def test_the_manifest_says_the_precision_and_how_near_it_is(bundles: dict[str, Path]) -> None:
    entry = Manifest.read(bundles["int8"]).graphs[0]
    assert (entry.precision, entry.dtype) == ("int8", "float32")
    assert 0 < entry.parity.largest_q_halt_difference < 1


def test_an_int8_graph_keeps_the_contract(bundles: dict[str, Path]) -> None:
    entry = Manifest.read(bundles["int8"]).graphs[0]
    graph = onnx.load(bundles["int8"] / entry.file).graph
    check_contract(graph, entry.spec, entry.state_len, entry.hidden_size)


def test_what_is_int8_already_cannot_be_made_smaller(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    entry = Manifest.read(bundles["int8"]).graphs[0]
    copy = tmp_path / entry.file
    copy.write_bytes((bundles["int8"] / entry.file).read_bytes())
    with pytest.raises(ExportError, match="no weights that int8 would make smaller"):
        reduce_precision(copy, "int8")
