"""Tasks that nobody knows: handed in, learnt by another process, asked, kept, removed."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.loading import load_solver, open_task_lanes
from server.settings import Settings
from server.tasks.directory import TaskDirectory
from server.tasks.errors import TaskDirectoryError
from server.tasks.service import Tasks
from tests.server.adapting_server import (
    NEW,
    OTHER,
    Served,
    ask,
    problem,
    register,
    state,
    until,
)
from tests.server.arc_bundle import TASKS


@pytest.fixture
def served(arc_bundle: Path, tmp_path: Path) -> Served:
    return Served(arc_bundle, tmp_path / "tasks")


def test_a_task_is_learnt_and_asked_and_survives_a_restart(served: Served) -> None:
    with served.running() as client:
        task_id = register(client, name="mine")["id"]
        task = state(client, task_id, "ready")
        assert (task["name"], task["origin"], task["problem"]) == ("mine", "adapted", None)
        assert task["progress"]["phase"] == "done"
        assert task["progress"]["held_out_accuracy"] == 0.75
        first = ask(client, task=task_id).json()
        assert (first["task"], first["model"]) == (task_id, f"tiny+{task_id}")
        assert first["verified"] is None
        turned = [{side: pair[side][::-1] for side in pair} for pair in NEW]
        assert ask(client, train=turned).json()["task"] == task_id
        again = client.post("/v1/tasks", json={"train": turned})
        assert (again.status_code, again.json()["id"]) == (201, task_id)
    with served.running() as client:
        assert client.get(f"/v1/tasks/{task_id}").json() == task
        second = ask(client, task=task_id).json()
        assert second["results"] == first["results"]
        assert client.get("/v1/tasks").json()["adapted"] == [task]
    assert served.begun == [task_id]


def test_a_task_of_the_bundle_is_ready_at_once(served: Served) -> None:
    with served.running() as client:
        response = client.post("/v1/tasks", json={"train": TASKS["fill"]["train"][::-1]})
        assert response.status_code == 201
        assert response.json() == {
            **dict.fromkeys(("name", "created_at", "queue_position", "progress", "problem")),
            **{"id": "fill", "state": "ready", "origin": "bundle"},
        }
        assert problem(client.delete("/v1/tasks/fill")) == (409, "task_in_bundle")
    assert served.begun == []


def test_tasks_wait_for_each_other_and_solving_goes_on(served: Served) -> None:
    served.mode = "wait"
    with served.running() as client:
        first = register(client)["id"]
        state(client, first, "adapting")
        second = register(client, OTHER)
        assert (second["state"], second["queue_position"]) == ("queued", 1)
        assert register(client)["id"] == first, "the same task twice is one"
        held = until(lambda: (state(client, first, "adapting")["progress"] or {}).get("loss"))
        assert held == 0.5
        assert ask(client, task="fill").status_code == 200
        assert problem(ask(client, task=first)) == (409, "task_not_ready")
        assert "adapting" in ask(client, task=first).json()["detail"]
        assert problem(ask(client, train=OTHER)) == (404, "unknown_task")
        page = client.get("/metrics").text
        assert "ponder_adaptations_waiting 1.0" in page
        for task_id in (first, second["id"]):
            (served.directory / task_id / "go").touch()
            state(client, task_id, "ready")
        assert 'ponder_adaptations_total{outcome="ready"} 2.0' in client.get("/metrics").text
    assert served.begun == [first, second["id"]]


def test_progress_is_streamed_until_the_end(served: Served) -> None:
    served.mode = "wait"
    with served.running() as client:
        task_id = register(client)["id"]
        state(client, task_id, "adapting")
        opener = threading.Timer(0.1, (served.directory / task_id / "go").touch)
        opener.start()
        with client.stream("GET", f"/v1/tasks/{task_id}/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = list(response.iter_lines())
        opener.join()
        states = [json.loads(line[5:])["state"] for line in lines if line.startswith("data:")]
        assert (states[0], states[-1]) == ("adapting", "ready")
        assert problem(client.get("/v1/tasks/nobody/events")) == (404, "unknown_task")


@pytest.mark.parametrize(("mode", "why"), [("fail", "no such weights"), ("half", "status 1")])
def test_what_cannot_be_learnt_says_why_and_can_be_tried_again(
    served: Served, mode: str, why: str
) -> None:
    served.mode = mode
    with served.running() as client:
        task_id = register(client)["id"]
        failed = state(client, task_id, "failed")["problem"]
        assert failed["code"] == "adaptation_failed"
        assert why in failed["detail"]
        assert problem(ask(client, task=task_id)) == (409, "task_not_ready")
    with served.running() as client:
        assert client.get(f"/v1/tasks/{task_id}").json()["state"] == "failed"
        served.mode = "learn"
        assert register(client)["id"] == task_id
        state(client, task_id, "ready")


def test_deleting_stops_the_process_and_leaves_nothing(served: Served) -> None:
    served.mode = "wait"
    with served.running() as client:
        first, second = register(client)["id"], register(client, OTHER)["id"]
        state(client, first, "adapting")
        assert client.delete(f"/v1/tasks/{second}").status_code == 204
        assert client.delete(f"/v1/tasks/{first}").status_code == 204
        for task_id in (first, second):
            assert problem(client.get(f"/v1/tasks/{task_id}")) == (404, "unknown_task")
            assert problem(client.delete(f"/v1/tasks/{task_id}")) == (404, "unknown_task")
        assert [path.name for path in served.directory.iterdir()] == ["lock"]
        served.mode = "learn"
        third = register(client)["id"]
        state(client, third, "ready")
        client.delete(f"/v1/tasks/{third}")
        assert problem(ask(client, task=third)) == (404, "unknown_task")
        assert problem(ask(client, train=NEW)) == (404, "unknown_task")


def test_what_was_being_learnt_begins_anew_after_the_server_has_ended(served: Served) -> None:
    served.mode = "wait"
    with served.running() as client:
        first, second = register(client)["id"], register(client, OTHER)["id"]
        state(client, first, "adapting")
    leftover = served.directory / f"{first}.removed.partial"
    leftover.mkdir()
    (served.directory / first / "bundle.partial").mkdir()  # it was killed while it wrote
    served.mode = "learn"
    with served.running() as client:
        for task_id in (first, second):
            state(client, task_id, "ready")
        assert ask(client, task=first).status_code == 200
    assert not leftover.exists()
    assert served.begun == [first, first, second]


def test_the_least_recently_used_leave_memory_and_not_the_disk(
    arc_bundle: Path, tmp_path: Path
) -> None:
    served = Served(arc_bundle, tmp_path / "tasks", tasks_loaded=1)
    with served.running() as client:
        ids = [register(client, train)["id"] for train in (NEW, OTHER)]
        for task_id in ids:
            state(client, task_id, "ready")
        answers = [ask(client, task=task_id).json()["results"] for task_id in ids]
        for task_id, before in zip(ids, answers, strict=True):
            assert ask(client, task=task_id).json()["results"] == before


def test_a_learnt_bundle_that_is_damaged_is_told_and_learnt_anew(served: Served) -> None:
    with served.running() as client:
        task_id = register(client)["id"]
        state(client, task_id, "ready")
    (served.directory / task_id / "bundle" / "tasks.json").write_text("[]")
    with served.running() as client:
        failed = client.get(f"/v1/tasks/{task_id}").json()
        assert failed["state"] == "failed"
        assert "damaged" in failed["problem"]["detail"]
        register(client)
        state(client, task_id, "ready")


def test_a_damaged_registration_is_left_alone(served: Served) -> None:
    folder = served.directory / "task_0"
    folder.mkdir(parents=True)
    (folder / "task.json").write_text("{}")
    with served.running() as client:
        assert client.get("/v1/tasks").json()["adapted"] == []
    assert (folder / "task.json").read_text() == "{}"


def test_a_directory_is_for_one_server(tmp_path: Path) -> None:
    first = TaskDirectory(tmp_path)
    with pytest.raises(TaskDirectoryError, match="in use by another server"):
        TaskDirectory(tmp_path)
    first.close()
    TaskDirectory(tmp_path).close()
    (tmp_path / "file").touch()
    with pytest.raises(TaskDirectoryError, match="file"):
        TaskDirectory(tmp_path / "file")


PAIR = {"input": [[1]], "output": [[2]]}


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"train": []}, 422, "invalid_request", "train"),
        ({}, 422, "invalid_request", "train"),
        ({"train": [PAIR], "minutes": 0}, 422, "invalid_request", "minutes"),
        ({"train": [PAIR], "minutes": 61}, 422, "invalid_request", "minutes"),
        ({"train": [PAIR], "tries": 0}, 422, "invalid_request", "tries"),
        ({"train": [PAIR], "tries": 17}, 422, "invalid_request", "tries"),
        ({"train": [PAIR], "side": 31}, 422, "invalid_request", "side"),
        ({"train": [PAIR], "what": "all"}, 422, "invalid_request", "what"),
        ({"train": [PAIR], "name": "x" * 129}, 422, "invalid_request", "name"),
        ({"train": [PAIR | {"input": [[1, 2], [3]]}]}, 422, "invalid_task", "train[0].input"),
        ({"train": [PAIR | {"output": [[10]]}]}, 422, "invalid_task", "train[0].output"),
        ({"train": [PAIR | {"input": [[1] * 31]}]}, 422, "invalid_task", "train[0].input"),
        ({"train": [PAIR | {"input": [[1] * 11]}]}, 422, "invalid_task", "train"),
        ({"train": [PAIR, PAIR | {"output": [[3]]}]}, 422, "invalid_task", "train[1]"),
    ],
)
def test_bad_tasks_are_told_what_and_where(
    served: Served, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    with served.running() as client:
        response = client.post("/v1/tasks", json=body)
        assert problem(response) == (status, code), response.text
        assert field in [error["field"] for error in response.json()["errors"]]
        assert client.get("/v1/tasks").json()["adapted"] == []


def test_a_full_queue_refuses(arc_bundle: Path, tmp_path: Path) -> None:
    served = Served(arc_bundle, tmp_path / "tasks", adapt_queue_limit=1)
    served.mode = "wait"
    with served.running() as client:
        state(client, register(client)["id"], "adapting")
        register(client, OTHER)
        response = client.post("/v1/tasks", json={"train": [PAIR]})
        assert problem(response) == (429, "adaptations_waiting")


def test_without_a_place_for_tasks_none_is_learnt(arc_bundle: Path) -> None:
    settings = Settings(bundles=(arc_bundle,), threads=1, slots=1)
    with TestClient(create_app(load_solver(settings), settings)) as client:
        assert problem(client.post("/v1/tasks", json={"train": [PAIR]})) == (
            422,
            "adaptation_unavailable",
        )
        assert client.get("/v1/tasks/fill").json()["state"] == "ready"
        assert problem(client.delete("/v1/tasks/fill")) == (409, "task_in_bundle")
        assert problem(client.get("/v1/tasks/nobody")) == (404, "unknown_task")


def test_without_the_extra_it_says_what_to_install(
    arc_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(bundles=(arc_bundle,), threads=1, slots=1, task_dir=tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else 1)
    solver = load_solver(settings)
    tasks = Tasks(solver, settings, lambda bundle: open_task_lanes(bundle, settings))
    monkeypatch.undo()
    with TestClient(create_app(solver, settings, tasks=tasks)) as client:
        response = client.post("/v1/tasks", json={"train": [PAIR]})
        assert problem(response) == (422, "adaptation_unavailable")
        assert "torch" in response.json()["detail"]
        assert "ponder[adapt]" in response.json()["detail"]
