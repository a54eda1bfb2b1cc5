"""A bundle's graphs for canvases that none of its tasks is on: other tasks are learnt on them."""

import json
import shutil
from pathlib import Path

import pytest

from export.manifest import MANIFEST_FILE, BundleError
from puzzles.arc import ARCS
from server.loading import load_solver
from server.settings import Settings
from tests.server.adapting_server import NEW, Served, problem, register
from tests.server.arc_bundle import TEN

TWENTY = ARCS[2]
WIDE = [{"input": [[1, 2] * 6], "output": [[1]]}]


@pytest.fixture
def bundle(arc_bundle: Path, tmp_path: Path) -> Path:
    """The tiny bundle, and what it says is a graph for 20×20: nobody opens that one."""
    out = tmp_path / "bundle"
    shutil.copytree(arc_bundle, out)
    manifest = json.loads((out / MANIFEST_FILE).read_text())
    [graph] = manifest["graphs"]
    other = f"step-{TWENTY.spec.name}.onnx"
    shutil.copyfile(out / graph["file"], out / other)
    manifest["graphs"].append(graph | {"file": other, "spec": TWENTY.spec.model_dump()})
    (out / MANIFEST_FILE).write_text(json.dumps(manifest))
    return out


def test_only_canvases_of_known_tasks_are_opened(bundle: Path) -> None:
    solver = load_solver(Settings(bundles=(bundle,), threads=1, slots=1))
    assert [lane.name for lane in solver.loaded.lanes] == [TEN.spec.name]


def test_a_larger_task_can_be_handed_in(bundle: Path, tmp_path: Path) -> None:
    served = Served(bundle, tmp_path / "tasks")
    served.mode = "wait"
    with served.running() as client:
        assert register(client, WIDE)["state"] in ("queued", "adapting")
        [model] = client.get("/v1/models").json()["models"]
        assert model["puzzles"] == [TEN.spec.name, TWENTY.spec.name]
        for where, body in (
            ("train", {"train": [{"input": [[1] * 21], "output": [[1]]}]}),
            ("side", {"train": NEW, "side": 21}),
        ):
            refused = client.post("/v1/tasks", json=body)
            assert problem(refused) == (422, "invalid_task")
            [error] = refused.json()["errors"]
            assert error["field"] == where
            assert "21 cells; the largest canvas has 20" in error["detail"]
        assert register(client, NEW, side=20)["state"] in ("queued", "adapting")


def test_a_task_without_a_graph_of_its_canvas_is_told(bundle: Path) -> None:
    manifest = json.loads((bundle / MANIFEST_FILE).read_text())
    manifest["graphs"] = manifest["graphs"][1:]
    (bundle / MANIFEST_FILE).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="more is of arc-10x10: no such graph"):
        load_solver(Settings(bundles=(bundle,), threads=1, slots=1))
