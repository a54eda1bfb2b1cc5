"""The API's good side, over HTTP and through real onnxruntime."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.loading import load_solver
from server.settings import Settings
from tests.server.tiny_bundle import (
    FOUR,
    HARD,
    NINE_QUESTION,
    NINE_SOLUTION,
    four_solutions,
    with_empty,
)

SOLUTION = four_solutions()[7].tolist()
NDJSON = {"Accept": "application/x-ndjson"}


def four(empty: int) -> dict[str, Any]:
    """A request that takes `empty` supervision steps."""
    return {"kind": "sudoku", "grid": with_empty(four_solutions()[7], empty).tolist()}


def solve(client: TestClient, **request: Any) -> dict[str, Any]:
    response = client.post("/v1/solve", json={"kind": "sudoku"} | request)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_a_solved_puzzle_has_every_field(client: TestClient) -> None:
    answer = solve(client, **four(5))
    timing = answer.pop("timing")
    assert timing.keys() == {"queue_ms", "compute_ms"}
    assert min(timing.values()) >= 0
    assert answer == {
        "status": "solved",
        "solution": SOLUTION,
        "verified": True,
        "steps": 5,
        "attempts": 1,
        "stopped_by": "verified",
        "halt_probability": pytest.approx(0.6225, abs=1e-4),
        "model": "tiny",
    }


@pytest.mark.parametrize("empty", ["0", "."])
def test_a_line_of_text_is_a_grid(client: TestClient, empty: str) -> None:
    answer = solve(client, grid=NINE_QUESTION.replace(".", empty))
    assert "".join(str(cell) for row in answer["solution"] for cell in row) == NINE_SOLUTION


def test_steps_count_over_all_attempts(client: TestClient) -> None:
    answer = solve(client, **four(HARD + 1), max_steps=20)
    assert (answer["status"], answer["attempts"]) == ("solved", 2)
    assert answer["steps"] == 20 + HARD + 1


def test_an_unsolved_puzzle_says_what_it_cost_and_guesses_nothing(client: TestClient) -> None:
    answer = solve(client, **four(8), max_steps=3, attempts=2)
    assert (answer["status"], answer["stopped_by"]) == ("unsolved", "max_steps")
    assert (answer["steps"], answer["attempts"]) == (6, 2)
    assert answer["solution"] is None
    assert answer["verified"] is False
    assert answer["halt_probability"] < 0.5


def test_a_complete_grid_is_answered_without_a_step(client: TestClient) -> None:
    answer = solve(client, **four(0), deadline_ms=0)
    assert (answer["status"], answer["steps"], answer["attempts"]) == ("solved", 0, 0)
    assert (answer["stopped_by"], answer["halt_probability"]) == ("verified", None)


def test_an_empty_grid_is_solved_by_any_completion(client: TestClient) -> None:
    answer = solve(client, **four(16))
    assert answer["verified"] is True
    assert FOUR.verify(FOUR.parse([[0] * 4] * 4), FOUR.parse(answer["solution"])) == "solved"


def test_a_deadline_of_zero_is_answered_at_once(client: TestClient) -> None:
    answer = solve(client, **four(5), deadline_ms=0)
    assert (answer["status"], answer["stopped_by"]) == ("unsolved", "deadline")
    assert (answer["steps"], answer["halt_probability"]) == (0, None)


def test_a_deadline_ends_a_solve_that_would_run_on(client: TestClient) -> None:
    answer = solve(client, **four(HARD + 1), max_steps=1000, attempts=1, deadline_ms=1)
    assert (answer["status"], answer["stopped_by"]) == ("unsolved", "deadline")
    assert answer["steps"] < 1000


def test_the_same_question_is_answered_the_same_way_again(client: TestClient) -> None:
    first, second = (solve(client, **four(HARD + 2)) for _ in range(2))
    assert first.pop("timing").keys() == second.pop("timing").keys()
    assert first == second


def test_a_batch_is_answered_in_order_and_a_bad_item_fails_alone(client: TestClient) -> None:
    items = [
        four(9),
        {"kind": "sudoku", "grid": NINE_QUESTION},
        {"kind": "sudoku", "grid": [[1, 1, 0, 0], [0] * 4, [0] * 4, [0] * 4]},
        "junk",
        four(1),
    ]
    response = client.post("/v1/solve/batch", json={"items": items})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [result["index"] for result in results] == [0, 1, 2, 3, 4]
    assert [r["result"] and r["result"]["steps"] for r in results] == [9, 115, None, None, 1]
    codes = [r["problem"] and r["problem"]["code"] for r in results]
    assert codes == [None, None, "invalid_grid", "invalid_request", None]
    assert results[2]["problem"]["errors"][0]["column"] == 2


def test_an_empty_batch_has_no_results(client: TestClient) -> None:
    assert client.post("/v1/solve/batch", json={"items": []}).json() == {"results": []}


def test_a_stream_sends_each_result_as_its_row_halts(client: TestClient) -> None:
    items = [four(9), four(2), "junk", four(5)]
    response = client.post("/v1/solve/batch", json={"items": items}, headers=NDJSON)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["index"] for line in lines] == [2, 1, 3, 0]
    assert [line["result"] and line["result"]["steps"] for line in lines] == [None, 2, 5, 9]
    assert lines[0]["problem"]["code"] == "invalid_request"


def test_models_are_what_their_manifests_say(client: TestClient) -> None:
    (served,) = client.get("/v1/models").json()["models"]
    assert (served["name"], served["cell"]) == ("tiny", "lattice")
    assert served["puzzles"] == ["sudoku-4x4", "sudoku-9x9"]
    assert served["trained_supervision_steps"] == 16
    assert served["accuracy"][0]["data"] == "by heart"


def test_a_warm_server_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_a_server_that_was_not_started_is_not_ready(bundle: Path) -> None:
    settings = Settings(bundles=(bundle,), threads=1, parallel_attempts=1)
    unstarted = TestClient(create_app(load_solver(settings), settings))
    assert unstarted.get("/healthz").status_code == 200
    assert unstarted.get("/readyz").status_code == 503
    assert unstarted.get("/readyz").json() == {"status": "starting"}


def test_a_draining_server_is_not_ready_and_takes_no_puzzle(bundle: Path) -> None:
    settings = Settings(bundles=(bundle,), threads=1, parallel_attempts=1)
    solver = load_solver(settings)
    with TestClient(create_app(solver, settings)) as client:
        solver.drain(10.0)
        assert client.get("/readyz").json() == {"status": "draining"}
        response = client.post("/v1/solve", json=four(1))
    assert (response.status_code, response.json()["code"]) == (503, "draining")


def test_the_documentation_describes_every_endpoint(client: TestClient) -> None:
    assert client.get("/docs").status_code == 200
    described = client.get("/openapi.json").json()
    assert {"/v1/solve", "/v1/solve/batch", "/v1/models"} < described["paths"].keys()
    used = json.dumps(described)
    for name in ("SolveRequest", "SolveAnswer", "BatchResult", "Problem"):
        assert f'"#/components/schemas/{name}"' in used
        assert name in described["components"]["schemas"]


def test_metrics_count_what_happened(bundle: Path) -> None:
    settings = Settings(bundles=(bundle,), threads=1, parallel_attempts=1)
    with TestClient(create_app(load_solver(settings), settings)) as client:
        solve(client, **four(5))
        solve(client, **four(8), max_steps=2, attempts=3)
        client.post("/v1/solve", json={"kind": "sudoku", "grid": "nonsense"})
        page = client.get("/metrics").text
    for line in (
        'ponder_requests_total{outcome="answered"} 2.0',
        'ponder_requests_total{outcome="unsupported_shape"} 1.0',
        'ponder_solves_total{puzzle="sudoku-4x4",status="solved"} 1.0',
        'ponder_stopped_by_total{puzzle="sudoku-4x4",stopped_by="max_steps"} 1.0',
        'ponder_verdicts_total{puzzle="sudoku-4x4",verdict="wrong"} 1.0',
        'ponder_supervision_steps_sum{puzzle="sudoku-4x4"} 11.0',
        'ponder_attempts_sum{puzzle="sudoku-4x4"} 4.0',
        'ponder_step_rows_sum{puzzle="sudoku-4x4"} 11.0',
        'ponder_step_seconds_count{puzzle="sudoku-4x4"} 11.0',
        'ponder_queue_seconds_count{puzzle="sudoku-4x4"} 2.0',
        'ponder_queue_depth{puzzle="sudoku-9x9"} 0.0',
        'ponder_slots_active{puzzle="sudoku-4x4"} 0.0',
        'ponder_build_info{version="',
    ):
        assert line in page
