"""Questions of known tasks over HTTP: by name, and by demonstrations in any dress."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from export.manifest import BundleError, Manifest
from model.stepper import TorchStepper
from model.trm import TinyRecursiveModel
from puzzles.arc import Variant
from puzzles.known_tasks import (
    KNOWN_TASKS_FILE,
    KnownTask,
    read_known_tasks,
    write_known_tasks,
)
from server.app import create_app
from server.loading import load_solver
from server.settings import Settings
from server.tasks.catalog import TaskCatalog, read_rows
from tests.server.arc_bundle import GRID, STEPS, TASKS, TEN, arc_trm
from training.task_solves import Question, answer_all

DRESS = Variant(6, (0, 4, 1, 2, 3, 9, 5, 6, 7, 8))


@pytest.fixture(scope="module")
def trm() -> TinyRecursiveModel:
    return arc_trm()


@pytest.fixture(scope="module")
def client(arc_bundle: Path) -> Iterator[TestClient]:
    settings = Settings(bundles=(arc_bundle,), threads=1, slots=3)
    with TestClient(create_app(load_solver(settings), settings)) as served:
        yield served


def solve(client: TestClient, **body: Any) -> Any:
    response = client.post("/v1/solve", json={"kind": "arc", "test": [GRID]} | body)
    assert response.status_code == 200, response.text
    return response.json()


def dressed(grid: list[list[int]]) -> list[list[int]]:
    return DRESS.apply(np.array(grid, np.uint8)).tolist()


def test_known_tasks_are_listed(client: TestClient) -> None:
    assert client.get("/v1/tasks").json() == {"tasks": ["mirror", "fill", "more"], "adapted": []}


def test_the_demonstrations_of_a_known_task_are_told(client: TestClient) -> None:
    told = client.get("/v1/tasks/mirror/demonstrations").json()
    assert [set(pair) for pair in told["train"]] == [{"input", "output"}] * len(told["train"])
    assert solve(client, **told)["task"] == "mirror"
    assert client.get("/v1/tasks/none/demonstrations").status_code == 404


def test_answers_are_the_votes_that_training_counts(
    client: TestClient, trm: TinyRecursiveModel
) -> None:
    other = [[7, 7], [0, 1], [2, 2]]
    answer = solve(client, task="fill", test=[GRID, other])
    assert (answer["task"], answer["model"], answer["verified"]) == ("fill", "tiny-arc", None)
    questions = [
        Question("fill", i, np.array(grid, np.uint8), first_task=2)
        for i, grid in enumerate((GRID, other))
    ]
    expected = answer_all(TorchStepper(trm, TEN.spec), TEN, questions, views=2, max_steps=STEPS)
    assert any(one.candidates for one in expected)
    for found, one in zip(answer["results"], expected, strict=True):
        assert (found["views"], found["mean_steps"]) == (2, one.mean_steps)
        best = [candidate.answer.tolist() for candidate in one.candidates[:2]]
        assert [attempt["answer"] for attempt in found["attempts"]] == best
        for attempt, candidate in zip(found["attempts"], one.candidates, strict=False):
            assert attempt["votes"] == candidate.votes
            assert attempt["halt_probability"] == pytest.approx(
                candidate.halt_probability, abs=1e-4
            )


def test_a_task_in_another_dress_is_answered_in_that_dress(client: TestClient) -> None:
    plain = solve(client, task="mirror")
    shown = [
        {side: dressed(grid) for side, grid in pair.items()} for pair in TASKS["mirror"]["train"]
    ]
    answer = solve(client, train=shown[::-1], test=[dressed(GRID)])
    assert answer["task"] == "mirror"
    pairs = zip(answer["results"][0]["attempts"], plain["results"][0]["attempts"], strict=True)
    for found, one in pairs:
        assert found["answer"] == dressed(one["answer"])


def test_fewer_views_and_steps_may_be_asked_for(client: TestClient) -> None:
    [result] = solve(client, task="more", views=1, max_steps=1)["results"]
    assert (result["views"], result["mean_steps"]) == (1, 1.0)
    assert all(attempt["votes"] == 1 for attempt in result["attempts"])


def test_a_row_without_time_votes_for_nothing(client: TestClient) -> None:
    [result] = solve(client, task="more", deadline_ms=0)["results"]
    assert result == {"attempts": [], "views": 2, "mean_steps": 0.0}


PAIR = {"input": [[1]], "output": [[2]]}


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"task": "nobody"}, 404, "unknown_task", None),
        ({"train": [PAIR]}, 404, "unknown_task", None),
        ({"train": []}, 422, "invalid_request", "train"),
        ({}, 422, "invalid_request", None),
        ({"task": "fill", "train": [PAIR]}, 422, "invalid_request", None),
        ({"train": [{"input": [[1]]}]}, 422, "invalid_task", "train[0]"),
        ({"train": [PAIR, PAIR | {"output": [[3]]}]}, 422, "invalid_task", "train[1]"),
        ({"task": "fill", "test": []}, 422, "invalid_request", "test"),
        ({"task": "fill", "test": [[[1, 2], [3]]]}, 422, "invalid_task", "test[0]"),
        ({"task": "fill", "test": [GRID, [[10]]]}, 422, "invalid_task", "test[1]"),
        ({"task": "fill", "test": [[[0] * 31]]}, 422, "invalid_task", "test[0]"),
        ({"task": "fill", "test": [[[0] * 11]]}, 422, "invalid_task", "test[0]"),
        ({"task": "fill", "test": ["12"]}, 422, "invalid_task", "test[0]"),
        ({"task": "fill", "views": 3}, 422, "invalid_request", "views"),
        ({"task": "fill", "max_steps": 10**6}, 422, "invalid_request", "max_steps"),
        ({"task": "fill", "grid": GRID}, 422, "invalid_request", "grid"),
    ],
)
def test_bad_requests_are_told_what_and_where(
    client: TestClient, body: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    response = client.post("/v1/solve", json={"kind": "arc", "test": [GRID]} | body)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]]


def test_a_question_without_its_task_is_refused_in_batches(client: TestClient) -> None:
    items = [{"kind": "arc", "grid": GRID}]
    [result] = client.post("/v1/solve/batch", json={"items": items}).json()["results"]
    assert result["problem"]["code"] == "not_served"
    assert "`task` or `train`" in result["problem"]["detail"]


def test_tasks_made_for_training_are_rows_and_no_tasks(arc_bundle: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(arc_bundle)
    assert manifest.tasks is not None
    first, _, last = read_known_tasks(arc_bundle / manifest.tasks.file)
    made = KnownTask("made", first.puzzle, None)
    write_known_tasks(tmp_path / manifest.tasks.file, [first, made, last])
    rows = read_rows(tmp_path, manifest, lambda name: pytest.fail(f"{name} is not asked yet"))
    assert [(one.name, one.first_task) for one in rows] == [(first.name, 0), (last.name, 4)]
    assert TaskCatalog(rows).names == (first.name, last.name)


def test_a_damaged_list_of_tasks_stops_the_start(arc_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in arc_bundle.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    (copy / KNOWN_TASKS_FILE).write_text("[]")
    with pytest.raises(BundleError, match="sha256"):
        load_solver(Settings(bundles=(copy,), threads=1, slots=1))
