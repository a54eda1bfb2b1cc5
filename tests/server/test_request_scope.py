"""Every request has an id, an answer and, if wanted, a line in the log, whatever becomes of it."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from puzzles.restarts import Restart
from server.app import create_app
from server.effort import BudgetRules
from server.lane import Lane
from server.loading import load_solver
from server.logs import JsonFormatter
from server.metrics import Metrics
from server.scheduler import Scheduler
from server.settings import Settings
from server.solver import Solver
from tests.server.failing import FailingEngine
from tests.server.lanes import loaded
from tests.server.tiny_bundle import FOUR, four_solutions, with_empty

MADE = re.compile(r"[0-9a-f]{32}")
PUZZLE = {"kind": "sudoku", "grid": FOUR.format(with_empty(four_solutions()[3], 2))}


class LogLines(logging.Handler):
    """The log as JSON, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))

    def of(self, logger: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["logger"] == logger]


@pytest.fixture
def log() -> Iterator[LogLines]:
    lines, server = LogLines(), logging.getLogger("server")
    before = server.level
    server.addHandler(lines)
    server.setLevel(logging.INFO)
    yield lines
    server.removeHandler(lines)
    server.setLevel(before)


@pytest.fixture(scope="module")
def listed(bundle: Path) -> Iterator[TestClient]:
    """A server with an access log, that meets a bug at /bug."""
    settings = Settings(bundles=(bundle,), threads=1, access_log=True, body_limit_bytes=1000)
    app = create_app(load_solver(settings), settings)

    @app.get("/bug/{number}")
    async def bug(number: int) -> None:
        raise ZeroDivisionError(f"a bug at {number}")

    with TestClient(app) as client:
        yield client


def test_a_request_keeps_the_id_that_it_brings(client: TestClient) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": "proxy:7/a=b"})
    assert answer.headers["X-Request-ID"] == "proxy:7/a=b"


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "tab\there", "caf\xe9", "\x7f"])
def test_an_id_that_is_not_sane_is_replaced(given: str, client: TestClient) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": given.encode("latin-1")})
    assert MADE.fullmatch(answer.headers["X-Request-ID"])


def test_requests_without_an_id_get_different_ones(client: TestClient) -> None:
    ids = {client.get("/healthz").headers["X-Request-ID"] for _ in range(20)}
    assert len(ids) == 20
    assert all(map(MADE.fullmatch, ids))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/solve", b"no json", 400),
        ("/v1/nothing", b"{}", 404),
        ("/v1/solve", b"x" * 1001, 413),
    ],
)
def test_a_problem_names_the_request(
    path: str, body: bytes, status: int, listed: TestClient
) -> None:
    headers = {"X-Request-ID": "a:b", "Content-Type": "application/json"}
    answer = listed.post(path, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["instance"] == "urn:ponder:request:a%3Ab"
    assert answer.headers["X-Request-ID"] == "a:b"


def test_a_bug_is_a_problem_with_an_id_that_finds_its_traceback(
    listed: TestClient, log: LogLines
) -> None:
    answer = listed.get("/bug/5")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "a bug at 5" not in answer.text
    [line] = log.of("server.request_scope")
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert "ZeroDivisionError: a bug at 5" in line["exception"]


def test_the_access_log_has_a_line_for_every_request(listed: TestClient, log: LogLines) -> None:
    solved = listed.post("/v1/solve", json=PUZZLE)
    listed.get("/bug/7")
    listed.get("/v1/nothing%0Ahere")
    lines = log.of("server.access")
    assert [(x["fields"]["method"], x["fields"]["path"], x["fields"]["status"]) for x in lines] == [
        ("POST", "/v1/solve", 200),
        ("GET", "/bug/{number}", 500),
        ("GET", "/v1/nothing\nhere", 404),
    ]
    assert lines[0]["fields"]["bytes"] == len(solved.content)
    assert lines[0]["fields"]["ms"] > 0
    assert lines[0]["request_id"] == solved.headers["X-Request-ID"]


def test_there_is_no_access_log_unless_it_is_wanted(client: TestClient, log: LogLines) -> None:
    client.post("/v1/solve", json=PUZZLE)
    assert log.of("server.access") == []


def test_a_failed_step_names_the_requests_that_were_in_it(log: LogLines) -> None:
    engine = FailingEngine(np.zeros(16, np.int32))
    lane = Lane(
        model="failing",
        puzzle=FOUR,
        restart=Restart(by="noise", noise_scale=0.5),
        engine=engine,
        scheduler=Scheduler(slots=2, queue_limit=8),
    )
    rules = BudgetRules(
        max_steps=None, attempts=None, max_steps_limit=9, attempts_limit=9, effort="low"
    )
    engine.error = RuntimeError("the device is gone")
    solver = Solver(loaded(lane), rules, Metrics("0"))
    settings = Settings()
    with TestClient(create_app(solver, settings)) as client:
        answer = client.post("/v1/solve", json=PUZZLE, headers={"X-Request-ID": "lost"})
    assert answer.json()["code"] == "engine_failed"
    [line] = log.of("server.worker")
    assert line["fields"]["requests"] == "lost"


def test_a_server_without_traces_imports_no_sdk_for_them(bundle: Path) -> None:
    code = (
        "import sys, pathlib, server.serving; from server.settings import Settings;"
        "from server.loading import load_solver; from server.app import create_app;"
        "from server.trace_export import traced;"
        f"settings = Settings(bundles=(pathlib.Path({str(bundle)!r}),), threads=1);"
        "solver = load_solver(settings); app = create_app(solver, settings);"
        "traced(app, solver, settings).__enter__();"
        "sys.exit('opentelemetry.sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
