"""`ponder inspect`: what it tells, and that it sees what is not as the manifest says."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import create_app
from export.manifest import Manifest, file_sha256
from tests.server.tiny_bundle import FOUR, NINE, write_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", [FOUR, NINE])
    return tmp_path / "bundle"


def inspect(*words: object) -> Result:
    return CliRunner().invoke(create_app(), ["inspect", *map(str, words)])


def found(bundle: Path) -> Any:
    return json.loads(inspect(bundle, "--json").stdout)


def test_a_sound_bundle_is_told_in_full() -> None:
    result = inspect(ROOT / "bundles" / "sudoku")
    assert result.exit_code == 0
    for told in (
        *("sudoku-lattice-d32", "18,593", "256 × 16", "kernel-weights.npz", "200/200", "99.3%"),
        *("previous_batch × 729 × 32", "25 MatMul", "everything is as the manifest says"),
    ):
        assert told in result.stdout


def test_tasks_are_told(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "bundles" / "arc-small", tmp_path / "arc")
    assert found(tmp_path / "arc")["tasks"]["tasks"] == 312
    shutil.rmtree(tmp_path / "arc" / "checkpoint")
    result = inspect(tmp_path / "arc")
    assert result.exit_code == 0
    assert "cannot (no checkpoint)" in result.stdout


def test_json_has_the_same(bundle: Path) -> None:
    told = found(bundle)
    assert told["manifest"]["name"] == "tiny"
    assert told["problems"] == []
    assert [graph["puzzle"] for graph in told["graphs"]] == ["sudoku-4x4", "sudoku-9x9"]
    assert told["graphs"][0]["operators"]["Where"] == 5


def damaged_graph(bundle: Path) -> None:
    (bundle / "step-sudoku-4x4.onnx").write_bytes(b"damaged")


def missing_graph(bundle: Path) -> None:
    (bundle / "step-sudoku-4x4.onnx").unlink()


def another_graph(bundle: Path) -> None:
    """Vouched for by its hash, of another puzzle."""
    shutil.copy(bundle / "step-sudoku-9x9.onnx", bundle / "step-sudoku-4x4.onnx")
    manifest = Manifest.parse(bundle)
    changed = {"sha256": file_sha256(bundle / "step-sudoku-4x4.onnx")}
    first, second = manifest.graphs
    graphs = (first.model_copy(update=changed), second)
    manifest.model_copy(update={"graphs": graphs}).write(bundle)


def another_opset(bundle: Path) -> None:
    Manifest.parse(bundle).model_copy(update={"opset": 17}).write(bundle)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damaged_graph, "sha256"),
        (missing_graph, "No such file"),
        (another_graph, "input tokens is tensor(int32) (any, 81), expected"),
        (another_opset, "opset 18, but the manifest says 17"),
    ],
)
def test_what_is_not_as_the_manifest_says_is_told(
    bundle: Path, spoil: Callable[[Path], None], why: str
) -> None:
    spoil(bundle)
    result = inspect(bundle)
    assert result.exit_code == 1
    assert why in result.stdout
    assert "✗" in result.stdout
    assert any(why in problem for problem in found(bundle)["problems"])


def test_without_a_manifest_there_is_nothing_to_inspect(tmp_path: Path) -> None:
    result = inspect(tmp_path)
    assert result.exit_code == 2
    assert "no such file; a bundle is a directory with a manifest" in " ".join(
        result.stderr.split()
    )


def test_it_needs_neither_torch_nor_onnx(bundle: Path) -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *rest: None if name == 'onnx' else find(name, *rest);"
        "sys.modules['torch'] = sys.modules['onnx'] = None;"
        f"sys.argv = ['ponder', 'inspect', {str(bundle)!r}];"
        "from cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert "pip install onnx" in done.stdout
    assert "batch × 16" in done.stdout
