"""Streams of events from a real server, over real connections."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server.events import EVENTS
from tests.server.test_process import TIMEOUT_S, question, serving
from tests.server.tiny_bundle import HARD

# Never solved: each attempt works until its budget ends.
ENDLESS = {"kind": "sudoku", "grid": "1" + 80 * ".", "max_steps": 1024, "attempts": 2048}


@pytest.fixture(scope="module")
def url(bundle: Path) -> Iterator[str]:
    with serving("--bundles", str(bundle), "--slots", "1") as (_, where):
        yield where


def lane(url: str, puzzle: str) -> Any:
    lanes = httpx2.get(f"{url}/v1/engine", timeout=TIMEOUT_S).json()["lanes"]
    [found] = [one for one in lanes if one["puzzle"] == puzzle]
    return found


def test_steps_arrive_while_the_puzzle_is_worked_on_and_a_client_that_leaves_ends_it(
    url: str,
) -> None:
    post = httpx2.stream("POST", f"{url}/v1/solve", json=ENDLESS, headers=EVENTS, timeout=TIMEOUT_S)
    with post as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()  # the connection closes with it
        told = (line.removeprefix("data: ") for line in lines if line.startswith("data: "))
        assert json.loads(next(told))["puzzle"] == "sudoku-9x9"
        steps = [json.loads(next(told))["step"] for _ in range(5)]
        assert steps == sorted(steps)
        assert lane(url, "sudoku-9x9")["working"] == 1
    until_s = time.monotonic() + TIMEOUT_S
    while (now := lane(url, "sudoku-9x9"))["working"]:
        assert time.monotonic() < until_s, "the slot was never free again"
    assert (now["solved_total"], now["unsolved_total"]) == (0, 0)
    page = httpx2.get(f"{url}/metrics", timeout=TIMEOUT_S).text
    assert 'ponder_requests_total{outcome="client_gone"} 1.0' in page


def test_a_client_that_does_not_read_keeps_nobody_from_solving(url: str) -> None:
    slow = ENDLESS | {"attempts": 1}
    before = lane(url, "sudoku-9x9")["unsolved_total"]
    post = httpx2.stream("POST", f"{url}/v1/solve", json=slow, headers=EVENTS, timeout=TIMEOUT_S)
    with post as response:  # its head has come, and nobody reads on
        until_s = time.monotonic() + TIMEOUT_S
        while lane(url, "sudoku-9x9")["unsolved_total"] == before:
            assert time.monotonic() < until_s, "the puzzle was held up"
        lines = [line for line in response.iter_lines() if line]
    assert lines[0] == "event: start"
    assert lines[-2] == "event: result"
    assert json.loads(lines[-1].removeprefix("data: "))["steps"] == 1024


def test_a_stream_ends_and_its_connection_serves_on(url: str) -> None:
    body = {"kind": "sudoku", "grid": question(HARD)}
    with httpx2.Client(base_url=url, headers=EVENTS, timeout=TIMEOUT_S) as client:
        texts = [client.post("/v1/solve", json=body).text for _ in range(2)]
    assert [text.count("event: result") for text in texts] == [1, 1]
