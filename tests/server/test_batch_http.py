"""Batches over HTTP, in this process and through real onnxruntime."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.batches.service import Batches
from server.loading import load_solver
from server.settings import Settings
from tests.server.tiny_bundle import FOUR, HARD, four_solutions, with_empty

TIMEOUT_S = 20.0
MEDIA = {"Content-Type": "application/x-ndjson"}
UNKNOWN = "/v1/batches/batch_00000000000000000000000000"


@pytest.fixture(scope="module")
def client(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        bundles=(bundle,),
        threads=1,
        slots=4,
        queue_limit=1,
        batch_limit=1,
        batch_dir=tmp_path_factory.mktemp("batches"),
        batch_bytes=100_000,
        body_limit_bytes=10_000,
    )
    solver = load_solver(settings)
    with TestClient(create_app(solver, settings, Batches(solver, settings))) as served:
        yield served


def line(empty: int, **more: Any) -> str:
    grid = FOUR.format(with_empty(four_solutions()[7], empty))
    return json.dumps({"kind": "sudoku", "grid": grid} | more)


ENDLESS = line(HARD + 1, max_steps=1024, attempts=1)


def submit(client: TestClient, *lines: str, **headers: str) -> dict[str, Any]:
    response = client.post("/v1/batches", content="\n".join(lines), headers=MEDIA | headers)
    assert response.status_code == 202, response.text
    batch: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/batches/{batch['id']}"
    return batch


def wait_for(client: TestClient, batch: dict[str, Any], state: str = "done") -> dict[str, Any]:
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        now: dict[str, Any] = client.get(f"/v1/batches/{batch['id']}").json()
        if now["state"] == state:
            return now
    raise AssertionError(f"never {state}: {now}")


def test_a_batch_is_answered_in_order_with_custom_ids(client: TestClient) -> None:
    lines = line(9, custom_id="x"), "", line(2), "junk", line(8, max_steps=3, attempts=2)
    batch = submit(client, *lines)
    assert (batch["state"], batch["name"], batch["problem"]) == ("queued", None, None)
    assert (batch["started_at"], batch["ended_at"]) == (None, None)
    done = wait_for(client, batch)
    counts = {"total": 4, "answered": 4, "solved": 2, "unsolved": 1, "invalid": 1}
    assert done["counts"] == counts
    assert done["created_at"] <= done["started_at"] <= done["ended_at"] < done["expires_at"]
    response = client.get(f"/v1/batches/{batch['id']}/results")
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert response.headers["ponder-complete"] == "true"
    results = [json.loads(text) for text in response.text.splitlines()]
    found = [(result["custom_id"], result["line"]) for result in results]
    assert found == [("x", 1), ("3", 3), ("4", 4), ("5", 5)]
    assert results[0]["result"]["solution"] == four_solutions()[7].tolist()
    assert [result["result"] and result["result"]["steps"] for result in results] == [9, 2, None, 6]
    assert results[2]["problem"]["code"] == "invalid_json"


@pytest.mark.parametrize("media", ["application/x-ndjson; charset=utf-8", "application/jsonl"])
def test_an_upload_may_be_packed(client: TestClient, media: str) -> None:
    packed = gzip.compress(f"{line(1)}\n{line(2)}\n".encode())
    headers = {"Content-Type": media, "Content-Encoding": "gzip"}
    response = client.post("/v1/batches?name=packed", content=packed, headers=headers)
    done = wait_for(client, response.json())
    assert (done["name"], done["counts"]["solved"]) == ("packed", 2)


def test_an_upload_may_come_in_chunks_without_a_length(client: TestClient) -> None:
    body = f"{line(1)}\n{line(2)}".encode()
    chunks = (body[at : at + 7] for at in range(0, len(body), 7))
    response = client.post("/v1/batches", content=chunks, headers=MEDIA)
    assert wait_for(client, response.json())["counts"]["solved"] == 2


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 422, "empty_batch"),
        (b"\n[1]\njunk\n", {}, 422, "empty_batch"),
        (b"{}\n" * 40_000, {}, 413, "body_too_large"),
        (gzip.compress(b"{}\n" * 40_000), {"Content-Encoding": "gzip"}, 413, "body_too_large"),
        (b"{}\n" + b"x" * 10_001, {}, 413, "line_too_long"),
        (b"{}", {"Content-Encoding": "gzip"}, 400, "damaged_upload"),
        (b"{}", {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
        (b"{}", {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        (b"{}", {"Idempotency-Key": "k" * 256}, 422, "invalid_request"),
    ],
)
def test_what_is_no_batch_is_refused_and_leaves_nothing(
    client: TestClient, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    before = client.get("/v1/batches?limit=1").json()
    response = client.post("/v1/batches", content=body, headers=MEDIA | headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert client.get("/v1/batches?limit=1").json() == before
    directory = client.app.state.batches._files.upload("x").parent  # type: ignore[attr-defined]
    assert not list(directory.glob("*.upload"))


def test_an_idempotency_key_makes_one_batch_of_two_uploads(client: TestClient) -> None:
    first = submit(client, line(1), **{"Idempotency-Key": "once"})
    again = submit(client, line(1), **{"Idempotency-Key": "once"})
    assert again["id"] == first["id"]
    headers = MEDIA | {"Idempotency-Key": "once"}
    other = client.post("/v1/batches", content=line(2), headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert first["id"] in other.json()["detail"]


def test_requests_go_before_lines_and_are_not_refused_for_them(client: TestClient) -> None:
    batch = submit(client, *[line(HARD + 1, max_steps=1000, attempts=64)] * 300)
    wait_for(client, batch, "running")
    for _ in range(20):
        answer = client.post("/v1/solve", json=json.loads(line(1)))
        assert (answer.status_code, answer.json()["status"]) == (200, "solved")
    page = client.get("/metrics").text
    assert 'ponder_queue_depth{puzzle="sudoku-4x4"} 0.0' in page
    cancelled = client.post(f"/v1/batches/{batch['id']}/cancel").json()
    assert (cancelled["state"], cancelled["counts"]["total"]) == ("cancelled", 300)
    assert client.post(f"/v1/batches/{batch['id']}/cancel").json() == cancelled
    response = client.get(f"/v1/batches/{batch['id']}/results")
    assert response.headers["ponder-complete"] == "true"


def test_while_it_runs_results_grow_and_are_read_by_ranges(client: TestClient) -> None:
    slow = line(HARD + 1, max_steps=200, attempts=1)
    batch = submit(client, line(1), *[slow] * 20)
    url = f"/v1/batches/{batch['id']}/results"
    read, complete = b"", "false"
    until_s = time.monotonic() + TIMEOUT_S
    while complete == "false" and time.monotonic() < until_s:
        response = client.get(url, headers={"Range": f"bytes={len(read)}-"})
        if response.status_code == 416:
            assert response.json()["code"] == "no_such_range"
            assert response.headers["content-range"] == f"bytes */{len(read)}"
            continue
        assert response.status_code == 206
        complete = response.headers["ponder-complete"]
        last = len(read) + len(response.content) - 1
        whole = last + 1 if complete == "true" else "*"
        assert response.headers["content-range"] == f"bytes {len(read)}-{last}/{whole}"
        read += response.content
    assert read == client.get(url).content
    assert [json.loads(text)["line"] for text in read.splitlines()] == list(range(1, 22))
    some = client.get(url, headers={"Range": "bytes=5-9"})
    assert (some.content, some.headers["content-length"]) == (read[5:10], "5")
    conditional = client.get(url, headers={"Range": "bytes=5-9", "If-Range": '"x"'})
    assert (conditional.status_code, conditional.content) == (200, read)


def test_batches_are_listed_newest_first_page_by_page(client: TestClient) -> None:
    made = []
    for _ in range(3):
        made.append(submit(client, line(1))["id"])
        wait_for(client, {"id": made[-1]})
    first = client.get("/v1/batches?limit=2").json()
    assert first["next"] == first["batches"][1]["id"]
    second = client.get(f"/v1/batches?limit=2&after={first['next']}").json()
    ids = [batch["id"] for batch in first["batches"] + second["batches"]]
    assert ids == sorted(ids, reverse=True)
    assert set(made) <= set(ids)
    everything = client.get("/v1/batches?limit=100").json()
    assert everything["next"] is None
    assert client.get("/v1/batches?limit=101").status_code == 422


def test_a_deleted_batch_is_gone_with_its_files(client: TestClient) -> None:
    batch = submit(client, *[ENDLESS] * 50)
    files = client.app.state.batches._files  # type: ignore[attr-defined]
    assert files.input(batch["id"]).exists()
    assert client.delete(f"/v1/batches/{batch['id']}").status_code == 204
    assert not files.input(batch["id"]).exists()
    assert not files.results(batch["id"]).exists()
    assert client.get(f"/v1/batches/{batch['id']}").status_code == 404
    assert client.delete(f"/v1/batches/{batch['id']}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")],
)
def test_a_batch_that_is_not_there_is_unknown(client: TestClient, method: str, path: str) -> None:
    response = client.request(method, UNKNOWN + path)
    assert (response.status_code, response.json()["code"]) == (404, "unknown_batch")


def test_without_batches_there_are_no_such_endpoints(bundle: Path) -> None:
    settings = Settings(bundles=(bundle,), threads=1, slots=4)
    with TestClient(create_app(load_solver(settings), settings)) as served:
        response = served.post("/v1/batches", content=line(1), headers=MEDIA)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
