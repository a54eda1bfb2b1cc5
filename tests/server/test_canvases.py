"""A bundle's graphs for canvases that none of its tasks is on: other tasks are learnt on them."""

import json
import shutil
from pathlib import Path

import pytest

from export.manifest import MANIFEST_FILE, BundleError
from puzzles.arc import ARCS, Arc
from puzzles.arc_task import ArcTask
from server.lane import Lane
from server.loading import load_solver
from server.settings import Settings
from server.tasks.catalog import TaskCatalog, TaskRows
from server.tasks.schemas import TaskSolveRequest
from server.tasks.voting import prepare_ballot
from tests.server.adapting_server import NEW, Served, ask, problem, register, state
from tests.server.arc_bundle import GRID, TASKS, TEN

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


def test_a_known_task_is_learnt_on_a_larger_canvas_where_one_is_asked_for(
    bundle: Path, tmp_path: Path
) -> None:
    fill = TASKS["fill"]["train"]
    served = Served(bundle, tmp_path / "tasks")
    with served.running() as client:
        small = register(client, NEW)["id"]
        wide, large = (register(client, train, side=18)["id"] for train in (fill, NEW))
        for task_id in (small, wide, large):
            state(client, task_id, "ready")
        for body, known in (
            ({"train": fill}, "fill"),
            ({"train": fill, "side": 10}, "fill"),
            ({"train": fill, "side": 20}, wide),
            ({"train": NEW, "side": 9}, small),
            ({"train": NEW[::-1], "side": 11}, large),
        ):
            response = client.post("/v1/tasks", json=body)
            assert (response.status_code, response.json()["id"]) == (201, known)
        refused = ask(client, task="fill", test=[[[1] * 12]])
        assert problem(refused) == (422, "invalid_task")
        assert "POST /v1/tasks with a `side`" in refused.json()["errors"][0]["detail"]
    assert served.begun == [small, wide, large]


def test_what_waits_is_the_same_task_only_on_a_canvas_that_is_large_enough(
    bundle: Path, tmp_path: Path
) -> None:
    served = Served(bundle, tmp_path / "tasks")
    served.mode = "wait"
    with served.running() as client:
        small = register(client, NEW, side=4)["id"]
        assert register(client, NEW[::-1], side=10)["id"] == small
        large = register(client, NEW, side=16)["id"]
        assert register(client, NEW, side=20)["id"] == large != small


def test_questions_go_to_a_canvas_that_holds_them() -> None:
    task = ArcTask.read(TASKS["fill"])

    def on(canvas: Arc) -> TaskRows:
        name = canvas.spec.name
        return TaskRows(name, name, task, f"model of {name}", 0, 2, 1, lambda: ())

    catalog = TaskCatalog([on(TWENTY), on(TEN), on(ARCS[3])])
    for side, canvas in ((0, TWENTY), (20, TWENTY), (21, ARCS[3]), (30, ARCS[3])):
        assert catalog.recognise(task, side=side).rows.name == canvas.spec.name
    few = TaskCatalog([on(TEN)])
    assert few.recognise(task, side=11).rows.side == 10


def test_demonstrations_are_asked_where_the_largest_question_fits(bundle: Path) -> None:
    class OpenedError(Exception):
        """Its lanes were asked for."""

    def on(canvas: Arc) -> TaskRows:
        def lanes() -> tuple[Lane, ...]:
            raise OpenedError(canvas.size)

        name = canvas.spec.name
        return TaskRows(name, name, ArcTask.read(TASKS["fill"]), name, 0, 2, 1, lanes)

    solver = load_solver(Settings(bundles=(bundle,), threads=1, slots=1))
    solver.catalog.replace([on(TEN), on(TWENTY)])
    for questions, size in (([GRID], 10), ([GRID, [[1] * 12]], 20), ([[[1]] * 11], 20)):
        request = TaskSolveRequest(kind="arc", train=TASKS["fill"]["train"], test=questions)
        with pytest.raises(OpenedError, match=str(size)):
            prepare_ballot(request, solver, 0.0)


def test_a_task_without_a_graph_of_its_canvas_is_told(bundle: Path) -> None:
    manifest = json.loads((bundle / MANIFEST_FILE).read_text())
    manifest["graphs"] = manifest["graphs"][1:]
    (bundle / MANIFEST_FILE).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="more is of arc-10x10: no such graph"):
        load_solver(Settings(bundles=(bundle,), threads=1, slots=1))
