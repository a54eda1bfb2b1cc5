"""The contract of events (docs/streaming.md), over HTTP and through real onnxruntime."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.loading import load_solver
from server.settings import Settings
from tests.server.arc_bundle import GRID, STEPS, TASKS
from tests.server.events import EVENTS, steps_of, stream
from tests.server.tiny_bundle import HARD, four_solutions, with_empty

SOLUTION = four_solutions()[7].tolist()


def four(empty: int) -> dict[str, Any]:
    """A request that takes `empty` supervision steps."""
    return {"kind": "sudoku", "grid": with_empty(four_solutions()[7], empty).tolist()}


def without_timing(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "timing"}


def test_a_solved_puzzle_is_told_step_by_step(client: TestClient) -> None:
    events = stream(client, **four(3))
    assert [name for name, _ in events] == ["start", "step", "step", "step", "result"]
    assert events[0][1] == {
        "kind": "sudoku",
        "puzzle": "sudoku-4x4",
        "model": "tiny",
        "question": four(3)["grid"],
        "max_steps": 64,
        "attempts": 64,
    }
    sure = round(1 / (1 + 3 * math.exp(-9)), 4)
    unsure = [[0.25, 0.25, 0.25, sure], *[[sure] * 4] * 3]
    assert steps_of(events) == [
        {
            "attempt": 1,
            "step": step,
            "attempt_step": step,
            "grid": SOLUTION if step == 3 else four(3)["grid"],
            "changed": [[1, 1], [1, 2], [1, 3]] if step == 3 else [],
            "confidence": [[sure] * 4] * 4 if step == 3 else unsure,
            "halt_probability": pytest.approx(1 / (1 + math.exp(3 - step - 0.5))),
            "verdict": "solved" if step == 3 else "wrong",
            "assumed": [],
        }
        for step in (1, 2, 3)
    ]


def test_the_result_is_the_ordinary_answer(client: TestClient) -> None:
    plain = client.post("/v1/solve", json=four(5)).json()
    *_, (name, result) = stream(client, **four(5))
    assert name == "result"
    assert result.keys() == plain.keys()
    assert without_timing(result) == without_timing(plain)


def test_an_unsolved_puzzle_is_told_over_all_attempts(client: TestClient) -> None:
    events = stream(client, **four(8), max_steps=3, attempts=2)
    told = [(one["attempt"], one["step"], one["attempt_step"]) for one in steps_of(events)]
    assert told == [(1, 1, 1), (1, 2, 2), (1, 3, 3), (2, 4, 1), (2, 5, 2), (2, 6, 3)]
    assert {one["verdict"] for one in steps_of(events)} == {"wrong"}
    assert (events[-1][1]["status"], events[-1][1]["steps"]) == ("unsolved", 6)


def test_a_puzzle_that_needs_a_second_attempt_is_told_to_its_solution(client: TestClient) -> None:
    events = stream(client, **four(HARD + 1), max_steps=20)
    steps, result = steps_of(events), events[-1][1]
    assert [one["step"] for one in steps] == list(range(1, 20 + HARD + 2))
    assert (steps[-1]["attempt"], steps[-1]["attempt_step"]) == (2, HARD + 1)
    assert (steps[-1]["verdict"], steps[-1]["grid"]) == ("solved", result["solution"])
    assert (result["steps"], result["attempts"]) == (20 + HARD + 1, 2)


def test_a_complete_grid_has_a_result_and_no_step(client: TestClient) -> None:
    assert [name for name, _ in stream(client, **four(0))] == ["start", "result"]


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "text/*",
        "application/json",
        "application/json, text/event-stream;q=0.9",
        "text/event-stream;q=0",
        "text/event-stream ; Q=1, */*",
        "text/event-streams",
        "",
    ],
)
def test_who_does_not_name_event_streams_gets_json(client: TestClient, accept: str) -> None:
    response = client.post("/v1/solve", json=four(1), headers={"Accept": accept})
    assert response.headers["content-type"] == "application/json"
    assert response.json()["status"] == "solved"


@pytest.mark.parametrize(
    "accept",
    ["text/event-stream", "Text/Event-Stream;charset=utf-8", "application/json, text/event-stream"],
)
def test_who_names_event_streams_gets_one(client: TestClient, accept: str) -> None:
    response = client.post("/v1/solve", json=four(1), headers={"Accept": accept})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"


def test_what_is_wrong_with_a_request_is_told_by_the_status(client: TestClient) -> None:
    clash = {"kind": "sudoku", "grid": [[1, 1, 0, 0], [0] * 4, [0] * 4, [0] * 4]}
    response = client.post("/v1/solve", json=clash, headers=EVENTS)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "invalid_grid"


def test_a_stream_counts_as_answered_once(bundle: Path) -> None:
    settings = Settings(bundles=(bundle,), threads=1)
    with TestClient(create_app(load_solver(settings), settings)) as client:
        stream(client, **four(2))
        page = client.get("/metrics").text
    assert 'ponder_requests_total{outcome="answered"} 1.0' in page


def test_the_engine_tells_what_its_lanes_have_done(bundle: Path) -> None:
    settings = Settings(bundles=(bundle,), threads=1, slots=3)
    with TestClient(create_app(load_solver(settings), settings)) as client:
        client.post("/v1/solve", json=four(5))
        client.post("/v1/solve", json=four(8) | {"max_steps": 3, "attempts": 1})
        now = client.get("/v1/engine").json()
    assert (now["state"], now["uptime_s"] > 0) == ("ready", True)
    assert [lane["puzzle"] for lane in now["lanes"]] == ["sudoku-4x4", "sudoku-9x9"]
    assert now["lanes"][0] == {
        "puzzle": "sudoku-4x4",
        "model": "tiny",
        "runtime": "onnxruntime cpu float32",
        "slots": 3,
        "working": 0,
        "waiting": 0,
        "background_waiting": 0,
        "steps_total": 8,
        "rows_total": 8,
        "solved_total": 1,
        "unsolved_total": 1,
    }
    assert now["lanes"][1]["steps_total"] == 0


@pytest.fixture(scope="module")
def arc(arc_bundle: Path) -> Iterator[TestClient]:
    settings = Settings(bundles=(arc_bundle,), threads=1, slots=3)
    with TestClient(create_app(load_solver(settings), settings)) as served:
        yield served


def test_every_view_of_a_tasks_questions_is_told(arc: TestClient) -> None:
    body = {"kind": "arc", "task": "fill", "test": [GRID, [[7, 7], [0, 1], [2, 2]]]}
    events = stream(arc, **body)
    assert events[0] == (
        "start",
        {
            "kind": "arc",
            "task": "fill",
            "model": "tiny-arc",
            "questions": body["test"],
            "views": 2,
        },
    )
    name, result = events[-1]
    plain = arc.post("/v1/solve", json=body).json()
    assert (name, without_timing(result)) == ("result", without_timing(plain))
    steps = steps_of(events)
    assert {(one["question"], one["view"]) for one in steps} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    for question, view in ((0, 0), (0, 1), (1, 0), (1, 1)):
        own = [one for one in steps if (one["question"], one["view"]) == (question, view)]
        assert [one["step"] for one in own] == list(range(1, len(own) + 1))
        assert len(own) <= STEPS
        assert {(one["verdict"], one["confidence"]) for one in own} == {("unknown", None)}


def test_the_last_grids_of_a_tasks_views_are_what_was_voted_for(arc: TestClient) -> None:
    shown = [
        {side: grid[::-1] for side, grid in pair.items()}
        for pair in TASKS["more"]["train"]  # upside down: answers come so too
    ]
    events = stream(arc, kind="arc", train=shown, test=[GRID[::-1]])
    last = {one["view"]: one["grid"] for one in steps_of(events)}
    voted = {
        str(attempt["answer"]): attempt["votes"]
        for attempt in events[-1][1]["results"][0]["attempts"]
    }
    grids = [str(grid) for grid in last.values() if grid is not None]
    assert {grid: grids.count(grid) for grid in grids} == voted
