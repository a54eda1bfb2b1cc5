"""Graphs in fewer bits: smaller, within the contract, and near the model."""

from pathlib import Path

import onnx
import pytest

from export.bundle import export_bundle
from export.contract import check_contract
from export.errors import ExportError
from export.manifest import Manifest
from export.precision import reduce_precision
from model.checkpoint import load_model
from tests.model.small import MIXER, save_small, small_trm, sudoku

WIDE = MIXER.model_copy(update={"hidden_size": 64})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("precision")
    checkpoint = save_small(small_trm(WIDE, sudoku(4)), directory / "checkpoint")
    export_bundle(checkpoint, directory / "int8", precision="int8", parity_puzzles=20)
    return directory / "int8"


def test_int8_weights_take_less_than_half_the_space(bundle: Path) -> None:
    state = load_model(bundle.parent / "checkpoint").state_dict().values()
    float32_bytes = sum(4 * weights.numel() for weights in state)
    assert 2 * (bundle / Manifest.read(bundle).graphs[0].file).stat().st_size < float32_bytes


def test_the_manifest_says_the_precision_and_how_near_it_is(bundle: Path) -> None:
    entry = Manifest.read(bundle).graphs[0]
    assert (entry.precision, entry.dtype) == ("int8", "float32")
    assert 0 < entry.parity.largest_q_halt_difference < 1


def test_an_int8_graph_keeps_the_contract(bundle: Path) -> None:
    entry = Manifest.read(bundle).graphs[0]
    graph = onnx.load(bundle / entry.file).graph
    check_contract(graph, entry.spec, entry.state_len, entry.hidden_size)


def test_what_is_int8_already_cannot_be_made_smaller(bundle: Path, tmp_path: Path) -> None:
    entry = Manifest.read(bundle).graphs[0]
    copy = tmp_path / entry.file
    copy.write_bytes((bundle / entry.file).read_bytes())
    with pytest.raises(ExportError, match="no weights that int8 would make smaller"):
        reduce_precision(copy, "int8")
