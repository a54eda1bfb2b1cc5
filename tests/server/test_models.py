"""Several bundles at once: who answers, and what one is told who asks for another."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.batches.service import Batches
from server.loading import load_solver
from server.settings import Settings
from tests.server.adapting_server import until
from tests.server.arc_bundle import GRID
from tests.server.tiny_bundle import FOUR, NINE, NINE_QUESTION, write_bundle

EASY = {"kind": "sudoku", "grid": "1234341221434.21"}
NINE_EASY = {"kind": "sudoku", "grid": NINE_QUESTION}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, arc_bundle: Path) -> Iterator[TestClient]:
    """`first` serves 4×4, `second` serves 4×4 and 9×9."""
    directory = tmp_path_factory.mktemp("several")
    write_bundle(directory / "a", [FOUR], name="first")
    write_bundle(directory / "b", [FOUR, NINE], name="second")
    bundles = (directory / "a", directory / "b", arc_bundle)
    settings = Settings(bundles=bundles, threads=1, slots=4)
    with TestClient(create_app(load_solver(settings), settings)) as served:
        yield served


def solve(client: TestClient, body: Any) -> Any:
    return client.post("/v1/solve", json=body).json()


def test_the_first_bundle_that_serves_a_puzzle_is_its_default(client: TestClient) -> None:
    assert solve(client, EASY)["model"] == "first"
    assert solve(client, NINE_EASY)["model"] == "second"
    assert client.get("/v1/models").json()["defaults"] == {
        "sudoku-4x4": "first",
        "sudoku-9x9": "second",
        "arc-10x10": "tiny-arc",
    }


def test_a_request_may_name_the_bundle_that_answers(client: TestClient) -> None:
    answer = solve(client, EASY | {"model": "second"})
    assert (answer["model"], answer["status"]) == ("second", "solved")


def test_items_of_a_batch_choose_for_themselves(client: TestClient) -> None:
    items = [EASY, EASY | {"model": "second"}, EASY | {"model": "third"}]
    results = client.post("/v1/solve/batch", json={"items": items}).json()["results"]
    assert [one["result"]["model"] for one in results[:2]] == ["first", "second"]
    assert results[2]["problem"]["code"] == "unknown_model"


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (EASY | {"model": "third"}, "unknown_model", "first, second, tiny-arc"),
        (NINE_EASY | {"model": "first"}, "not_served", "first does not serve sudoku-9x9; second"),
        ({"kind": "sudoku", "grid": "." * 36, "model": "first"}, "not_served", "no bundle for"),
        ({"kind": "sudoku", "grid": "." * 36, "model": "third"}, "unknown_model", "third"),
        (EASY | {"model": 3}, "invalid_request", "model"),
        ({"kind": "arc", "task": "fill", "test": [GRID], "model": "x"}, "unknown_model", "tiny"),
        ({"kind": "arc", "task": "fill", "test": [GRID], "model": "first"}, "not_served", "fill"),
    ],
)
def test_a_bundle_that_cannot_answer_is_refused(
    client: TestClient, body: Any, code: str, told: str
) -> None:
    response = client.post("/v1/solve", json=body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert told in response.json()["detail"]


def test_lines_of_batches_choose_for_themselves(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("lines")
    for name in ("first", "second"):
        write_bundle(directory / name, [FOUR], name=name)
    settings = Settings(
        bundles=(directory / "first", directory / "second"),
        threads=1,
        batch_dir=directory / "batches",
    )
    solver = load_solver(settings)
    lines = [EASY, EASY | {"model": "second"}, EASY | {"model": "third"}]
    upload = b"\n".join(json.dumps(line).encode() for line in lines)
    with TestClient(create_app(solver, settings, Batches(solver, settings))) as client:
        headers = {"Content-Type": "application/x-ndjson"}
        made = client.post("/v1/batches", content=upload, headers=headers).json()["id"]
        until(lambda: client.get(f"/v1/batches/{made}").json()["state"] == "done")
        results = [
            json.loads(line) for line in client.get(f"/v1/batches/{made}/results").iter_lines()
        ]
    assert [one["result"] and one["result"]["model"] for one in results] == [
        *("first", "second", None)
    ]
    assert results[2]["problem"]["code"] == "unknown_model"


def test_a_task_is_answered_by_the_bundle_that_is_named(client: TestClient) -> None:
    body = {"kind": "arc", "task": "fill", "test": [GRID], "model": "tiny-arc"}
    assert solve(client, body)["model"] == "tiny-arc"


def test_metrics_tell_what_is_loaded(client: TestClient) -> None:
    page = client.get("/metrics").text
    runtime = 'runtime="onnxruntime cpu float32"'
    for model, puzzle in (("first", "sudoku-4x4"), ("second", "sudoku-4x4")):
        assert f'ponder_model_info{{model="{model}",puzzle="{puzzle}",{runtime}}} 1.0' in page
