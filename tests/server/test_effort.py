"""Efforts, from the manifest to the budget of a puzzle."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from cli.main import app
from export.manifest import EffortBudget, Efforts, Manifest
from server.app import create_app
from server.loading import load_solver
from server.settings import Settings
from tests.server.tiny_bundle import FOUR, four_solutions, with_empty, write_bundle

DECLARED = Efforts(
    low=EffortBudget(max_steps=2, attempts=1),
    standard=EffortBudget(max_steps=3, attempts=2),
    max=EffortBudget(max_steps=4, attempts=5),
)
TOO_MANY = with_empty(four_solutions()[7], 9)  # needs nine steps in one attempt
QUESTION = {"kind": "sudoku", "grid": TOO_MANY.tolist()}


@pytest.fixture(scope="module")
def declaring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose 4×4 declares efforts, its 9×9 none."""
    path = tmp_path_factory.mktemp("bundles") / "declaring"
    manifest = write_bundle(path)
    four, nine = manifest.graphs
    graphs = (four.model_copy(update={"efforts": DECLARED}), nine)
    manifest.model_copy(update={"graphs": graphs}).write(path)
    return path


def served(bundle: Path, **settings: Any) -> Iterator[TestClient]:
    chosen = Settings(bundles=(bundle,), threads=1, **settings)
    with TestClient(create_app(load_solver(chosen), chosen)) as client:
        yield client


@pytest.fixture(scope="module")
def client(declaring: Path) -> Iterator[TestClient]:
    yield from served(declaring)


def cost(client: TestClient, **asked: Any) -> tuple[int, int]:
    """Supervision steps and attempts of a puzzle that is not solved."""
    response = client.post("/v1/solve", json=QUESTION | asked)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["stopped_by"] == "max_steps"
    return answer["steps"], answer["attempts"]


@pytest.mark.parametrize(
    ("effort", "expected"), [("low", (2, 1)), ("standard", (6, 2)), ("max", (20, 5))]
)
def test_an_effort_is_the_budget_that_the_bundle_declares(
    client: TestClient, effort: str, expected: tuple[int, int]
) -> None:
    assert cost(client, effort=effort) == expected


def test_a_request_without_an_effort_gets_the_standard_one(client: TestClient) -> None:
    assert cost(client) == cost(client, effort="standard")


def test_numbers_of_the_request_go_before_its_effort(client: TestClient) -> None:
    assert cost(client, effort="max", attempts=2) == (8, 2)
    assert cost(client, effort="max", max_steps=1) == (5, 5)


def test_items_of_a_batch_have_efforts_of_their_own(client: TestClient) -> None:
    items = [QUESTION | {"effort": effort} for effort in ("max", "low", "least")]
    results = client.post("/v1/solve/batch", json={"items": items}).json()["results"]
    assert [r["result"] and r["result"]["steps"] for r in results] == [20, 2, None]
    assert results[2]["problem"]["code"] == "invalid_request"


def test_an_unknown_effort_is_told_the_three_that_there_are(client: TestClient) -> None:
    response = client.post("/v1/solve", json=QUESTION | {"effort": "most"})
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error == {"field": "effort", "detail": "Input should be 'low', 'standard' or 'max'"}


@pytest.mark.parametrize(
    ("settings", "asked", "expected"),
    [
        ({"effort": "max"}, {}, (20, 5)),
        ({"effort": "max", "attempts": 1}, {}, (4, 1)),
        ({"attempts": 1}, {"effort": "max"}, (20, 5)),
        ({"attempts_limit": 3, "max_steps_limit": 2}, {"effort": "max"}, (6, 3)),
    ],
)
def test_the_operator_sets_the_default_and_the_limits(
    declaring: Path,
    settings: dict[str, Any],
    asked: dict[str, str],
    expected: tuple[int, int],
) -> None:
    for client in served(declaring, **settings):
        assert cost(client, **asked) == expected


def test_models_tell_their_efforts(client: TestClient) -> None:
    [model] = client.get("/v1/models").json()["models"]
    assert model["efforts"]["sudoku-4x4"]["max"] == {"max_steps": 4, "attempts": 5}
    assert model["efforts"]["sudoku-9x9"] == Efforts().model_dump()


def test_a_manifest_that_knows_no_efforts_still_loads(declaring: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path, (FOUR,))
    old = json.loads((tmp_path / "manifest.json").read_text())
    del old["graphs"][0]["efforts"]
    (tmp_path / "manifest.json").write_text(json.dumps(old))
    assert Manifest.read(tmp_path).graphs[0].efforts == Efforts()
    assert Manifest.read(declaring).graphs[0].efforts == DECLARED


def test_puzzles_are_counted_by_the_effort_they_name(declaring: Path) -> None:
    for client in served(declaring):
        cost(client, effort="low")
        cost(client)
        page = client.get("/metrics").text
        assert 'ponder_asked_total{effort="low",puzzle="sudoku-4x4"} 1.0' in page
        assert 'ponder_asked_total{effort="none",puzzle="sudoku-4x4"} 1.0' in page


def test_the_solve_command_has_efforts_too(declaring: Path) -> None:
    command = ["solve", FOUR.format(TOO_MANY), "--bundle", str(declaring), "--effort", "low"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    assert "unsolved: max_steps after 2 supervision steps, 1 attempt" in done.stdout


def test_the_document_names_the_efforts(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    [levels, _] = schemas["SolveRequest"]["properties"]["effort"]["anyOf"]
    assert levels["enum"] == ["low", "standard", "max"]
