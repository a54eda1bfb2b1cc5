"""Whatever arrives, the answer is a problem with a stable code, and never a 500."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

ROWS = [[0] * 4 for _ in range(4)]
NINE = [[0] * 9 for _ in range(9)]


def with_cell(value: object) -> list[list[Any]]:
    grid: list[list[Any]] = [list(row) for row in ROWS]
    grid[2][1] = value
    return grid


def refused(client: TestClient, content: str | bytes, path: str = "/v1/solve") -> dict[str, Any]:
    response = client.post(path, content=content, headers={"Content-Type": "application/json"})
    problem: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:ponder:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    return problem


def refused_grid(client: TestClient, grid: object) -> dict[str, Any]:
    return refused(client, json.dumps({"kind": "sudoku", "grid": grid}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"kind": "sudoku", "grid": [[1,]]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"kind": "sudoku", "grid": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_400_and_an_empty_body_lacks_everything(
    client: TestClient, body: bytes
) -> None:
    problem = refused(client, body)
    expected = (400, "invalid_json") if body else (422, "invalid_request")
    assert (problem["status"], problem["code"]) == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": "sudoku"}, "grid"),
        ({"kind": 7, "grid": ROWS}, "kind"),
        ({"kind": None, "grid": ROWS}, "kind"),
        ({"kind": "sudoku", "grid": ROWS, "max_step": 3}, "max_step"),
        ({"kind": "sudoku", "grid": ROWS, "max_steps": 0}, "max_steps"),
        ({"kind": "sudoku", "grid": ROWS, "max_steps": 2.0}, "max_steps"),
        ({"kind": "sudoku", "grid": ROWS, "max_steps": "2"}, "max_steps"),
        ({"kind": "sudoku", "grid": ROWS, "max_steps": True}, "max_steps"),
        ({"kind": "sudoku", "grid": ROWS, "max_steps": 1025}, "max_steps"),
        ({"kind": "sudoku", "grid": ROWS, "attempts": -1}, "attempts"),
        ({"kind": "sudoku", "grid": ROWS, "attempts": 2049}, "attempts"),
        ({"kind": "sudoku", "grid": ROWS, "deadline_ms": -1}, "deadline_ms"),
        ({"kind": "sudoku", "grid": ROWS, "deadline_ms": 10**400}, "deadline_ms"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    client: TestClient, body: dict[str, object], field: str
) -> None:
    problem = refused(client, json.dumps(body))
    assert (problem["status"], problem["code"]) == (422, "invalid_request")
    assert field in [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "\ud800", "grid": ROWS}, "unknown_kind"),
        ({"kind": "sudoku", "grid": ROWS, "\ud800": 1}, "invalid_request"),
    ],
)
def test_text_that_no_encoding_can_write_is_refused_like_any_other(
    client: TestClient, body: dict[str, object], code: str
) -> None:
    assert refused(client, json.dumps(body))["code"] == code


@pytest.mark.parametrize("body", ["[]", '"sudoku"', "null", "17"])
def test_json_that_is_no_object_is_an_invalid_request(client: TestClient, body: str) -> None:
    problem = refused(client, body)
    assert (problem["status"], problem["code"]) == (422, "invalid_request")


def test_an_unknown_kind_is_named(client: TestClient) -> None:
    problem = refused(client, json.dumps({"kind": "crossword", "grid": ROWS}))
    assert (problem["status"], problem["code"]) == (422, "unknown_kind")
    assert "crossword" in problem["detail"]
    assert "sudoku" in problem["detail"]


@pytest.mark.parametrize(
    "grid", [[[0] * 7] * 7, [], [[]], "", "1" * 80, "53..", [[[1]]], [[0] * 4] * 3]
)
def test_a_size_that_no_sudoku_has_is_an_unsupported_shape(
    client: TestClient, grid: object
) -> None:
    problem = refused_grid(client, grid)
    assert (problem["status"], problem["code"]) == (422, "unsupported_shape") or (
        grid == [[[1]]] and problem["code"] == "invalid_grid"
    )


@pytest.mark.parametrize("grid", [[[0] * 6] * 6, "." * 256])
def test_a_size_without_a_bundle_is_not_served(client: TestClient, grid: object) -> None:
    problem = refused_grid(client, grid)
    assert (problem["status"], problem["code"]) == (422, "not_served")
    assert "sudoku-9x9" in problem["detail"]


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (12, "12 is not in 0..4"),
        (-1, "-1 is not in 0..4"),
        (10**40, "is not in 0..4"),
        (1.5, "expected an integer, got a float"),
        (2.0, "expected an integer, got a float"),
        (float("nan"), "expected an integer, got a float"),
        (None, "expected an integer, got null"),
        (True, "expected an integer, got a boolean"),
        ("2", "expected an integer, got text"),
        ([2], "expected an integer, got a list"),
        ({"a": 1}, "expected an integer, got an object"),
    ],
)
def test_a_cell_that_is_wrong_is_named_by_row_and_column(
    client: TestClient, value: object, detail: str
) -> None:
    problem = refused_grid(client, with_cell(value))
    assert (problem["status"], problem["code"]) == (422, "invalid_grid")
    (error,) = problem["errors"]
    assert (error["row"], error["column"]) == (3, 2)
    assert detail in error["detail"]


@pytest.mark.parametrize(
    ("grid", "row", "column"),
    [
        ([[0] * 4, [0] * 4, [0] * 3, [0] * 4], 3, None),  # ragged
        ([[0] * 4, None, [0] * 4, [0] * 4], 2, None),
        ("1..........x....", 3, 4),
        ("1..........\ud800....", 3, 4),
        ("11..............", 1, 2),  # clashing givens
        ("1234341243212144", 4, 4),  # a full grid that is wrong
    ],
)
def test_a_malformed_or_contradictory_grid_names_the_place(
    client: TestClient, grid: object, row: int, column: int | None
) -> None:
    problem = refused_grid(client, grid)
    assert (problem["status"], problem["code"]) == (422, "invalid_grid")
    error = problem["errors"][0]
    assert (error["row"], error.get("column")) == (row, column)


@pytest.mark.parametrize("grid", [7, None, {"a": 1}, True])
def test_a_grid_that_is_no_grid_is_invalid(client: TestClient, grid: object) -> None:
    assert refused_grid(client, grid)["code"] == "invalid_grid"


def test_a_flood_of_errors_is_cut_short(client: TestClient) -> None:
    problem = refused_grid(client, [[99] * 1000] * 9)
    assert len(problem["errors"]) == 100
    assert len(problem["detail"]) < 600


def test_a_batch_of_a_hundred_thousand_items_is_refused(client: TestClient) -> None:
    too_many = refused(client, b'{"items":[' + b"1," * 40_000 + b"1]}", "/v1/solve/batch")
    assert (too_many["status"], too_many["code"]) == (413, "too_many_items")
    too_long = refused(client, b'{"items":[' + b"1," * 100_000 + b"1]}", "/v1/solve/batch")
    assert (too_long["status"], too_long["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("body", ["{}", '{"items": 3}', '{"items": null}', '{"puzzles": []}'])
def test_a_batch_without_items_is_an_invalid_request(client: TestClient, body: str) -> None:
    problem = refused(client, body, "/v1/solve/batch")
    assert (problem["status"], problem["code"]) == (422, "invalid_request")


def test_every_junk_item_of_a_batch_gets_its_own_problem(client: TestClient) -> None:
    items = [None, 1, "a", [], {}, {"kind": "x", "grid": []}, {"kind": "sudoku", "grid": [None]}]
    response = client.post("/v1/solve/batch", json={"items": items})
    codes = [result["problem"]["code"] for result in response.json()["results"]]
    assert codes == ["invalid_request"] * 5 + ["unknown_kind", "invalid_grid"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_415(client: TestClient, content_type: str) -> None:
    response = client.post("/v1/solve", content=b"{}", headers={"Content-Type": content_type})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_an_unknown_path_is_404(client: TestClient) -> None:
    response = client.get("/v2/solve")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_405_and_says_which_is_right(client: TestClient) -> None:
    response = client.get("/v1/solve")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"
