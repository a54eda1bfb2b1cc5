"""What must stop a server from starting."""

import json
import shutil
from pathlib import Path

import pytest

from export.manifest import MANIFEST_FILE, BundleError
from server.loading import load_solver
from server.settings import Settings
from tests.server.tiny_bundle import FOUR, NINE, write_bundle


def load(*bundles: Path) -> tuple[str, ...]:
    return tuple(load_solver(Settings(bundles=bundles, threads=1)).loaded.defaults)


def edited(bundle: Path, out: Path, **changes: object) -> Path:
    """A copy of the bundle whose first graph entry says something else."""
    shutil.copytree(bundle, out)
    manifest = json.loads((out / MANIFEST_FILE).read_text())
    manifest["graphs"][0].update(changes)
    (out / MANIFEST_FILE).write_text(json.dumps(manifest))
    return out


def test_every_graph_of_every_bundle_is_served(tmp_path: Path) -> None:
    write_bundle(tmp_path / "four", [FOUR], name="four")
    write_bundle(tmp_path / "nine", [NINE], name="nine")
    assert load(tmp_path / "four", tmp_path / "nine") == ("sudoku-4x4", "sudoku-9x9")


def test_two_bundles_of_one_name_are_refused(tmp_path: Path, bundle: Path) -> None:
    write_bundle(tmp_path / "four", [FOUR])
    with pytest.raises(BundleError, match=r"four: .*tiny is called tiny too"):
        load(bundle, tmp_path / "four")


def test_two_graphs_for_one_puzzle_are_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "twice", [FOUR, FOUR])
    with pytest.raises(BundleError, match="several graphs for one puzzle"):
        load(tmp_path / "twice")


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_a_changed_graph_is_refused(bundle: Path, tmp_path: Path) -> None:
    changed = edited(bundle, tmp_path / "changed")
    graph = changed / "step-sudoku-4x4.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(BundleError, match="sha256"):
        load(changed)


def test_a_state_that_is_not_the_graphs_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"input y is tensor\(float\) \(any, 16, 2\), expected"):
        load(edited(bundle, tmp_path / "wrong", hidden_size=3))


def test_another_dtype_than_the_graphs_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"expected tensor\(float16\)"):
        load(edited(bundle, tmp_path / "wrong", dtype="float16"))


def test_a_puzzle_that_nobody_knows_is_refused(bundle: Path, tmp_path: Path) -> None:
    spec = FOUR.spec.model_dump(mode="json") | {"name": "sudoku-5x5"}
    with pytest.raises(BundleError, match="unknown puzzle 'sudoku-5x5'"):
        load(edited(bundle, tmp_path / "wrong", spec=spec))


def test_a_known_name_with_other_units_is_refused(bundle: Path, tmp_path: Path) -> None:
    spec = FOUR.spec.model_dump(mode="json") | {"units": []}
    with pytest.raises(BundleError, match="not the puzzle that we know"):
        load(edited(bundle, tmp_path / "wrong", spec=spec))


def test_a_graph_that_cannot_take_its_first_step_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "broken", [FOUR], breaks_at=16)  # warming asks for an empty grid
    with pytest.raises(BundleError, match="the first step failed"):
        load(tmp_path / "broken")
