"""The server as a process: it starts with one line, fails with one line, and drains on SIGTERM."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.server.tiny_bundle import FOUR, HARD, four_solutions, with_empty, write_bundle

TIMEOUT_S = 30.0


@contextmanager
def serving(*flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on a free port, and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", "--port", "0", "--threads", "1", *flags],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"serving url=(http://\S+)", line):
                break
        else:
            raise AssertionError("the server ended before it served")
        yield process, found[1]
    finally:
        process.kill()
        process.wait(TIMEOUT_S)
        process.stderr.close()


def post(url: str, body: object) -> tuple[int, Any]:
    response = httpx2.post(url, json=body, timeout=TIMEOUT_S)
    return response.status_code, response.json()


def question(empty: int) -> str:
    return FOUR.format(with_empty(four_solutions()[7], empty))


def wait_for_puzzles(url: str, puzzle: str, count: int) -> None:
    """Until so many puzzles of a size wait or work."""
    seen = re.compile(rf'^ponder_(?:queue_depth|slots_active){{puzzle="{puzzle}"}} (\S+)$', re.M)
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        page = httpx2.get(f"{url}/metrics", timeout=TIMEOUT_S).text
        if sum(float(number) for number in seen.findall(page)) == count:
            return
    raise AssertionError(f"there were never {count} puzzles")


def in_threads(url: str, body: object, clients: int) -> tuple[list[threading.Thread], list[Any]]:
    """Clients that post the same body at once, and the list that their answers go to."""
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(url, body))) for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    return threads, answers


def failed_start(*flags: str) -> str:
    """What a server says that cannot start; it is one line, and the exit status is 2."""
    process = subprocess.run(
        [sys.executable, "-m", "cli", "serve", *flags],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1, process.stderr
    return process.stderr


def test_a_sigterm_under_load_answers_everything_that_was_accepted(bundle: Path) -> None:
    flags = ("--bundles", str(bundle), "--slots", "4")
    with serving(*flags) as (process, url):
        # Never solved without a restart: each row works until its budget ends.
        item = {"kind": "sudoku", "grid": question(HARD + 1), "max_steps": 1024, "attempts": 1}
        clients, answers = in_threads(f"{url}/v1/solve/batch", {"items": [item] * 4}, clients=2)
        wait_for_puzzles(url, "sudoku-4x4", 8)
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(TIMEOUT_S)
        assert process.wait(TIMEOUT_S) == 0
    assert [status for status, _ in answers] == [200, 200]
    results = [result["result"] for _, body in answers for result in body["results"]]
    assert [result["stopped_by"] for result in results] == ["max_steps"] * 8


def test_while_draining_the_server_says_so_and_then_answers_what_it_could_not_end(
    bundle: Path,
) -> None:
    with serving("--bundles", str(bundle), "--drain-seconds", "2") as (process, url):
        endless = {"kind": "sudoku", "grid": "1" + 80 * ".", "max_steps": 1024, "attempts": 256}
        clients, answers = in_threads(f"{url}/v1/solve", endless, clients=1)
        wait_for_puzzles(url, "sudoku-9x9", 1)
        process.send_signal(signal.SIGTERM)
        refused = post(f"{url}/v1/solve", {"kind": "sudoku", "grid": question(1)})
        while refused[0] == 200:  # the signal has not arrived yet
            refused = post(f"{url}/v1/solve", {"kind": "sudoku", "grid": question(1)})
        clients[0].join(TIMEOUT_S)
        assert process.wait(TIMEOUT_S) == 0
    assert (refused[0], refused[1]["code"]) == (503, "draining")
    ((status, answer),) = answers
    assert (status, answer["status"], answer["stopped_by"]) == (200, "unsolved", "deadline")


def test_fifty_megabytes_are_refused_by_the_real_server(bundle: Path) -> None:
    with serving("--bundles", str(bundle)) as (_, url):
        address = url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(address[0], int(address[1]), timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.putrequest("POST", "/v1/solve")
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(50 * 2**20))
            connection.endheaders()
            response = connection.getresponse()  # before a byte of the body was sent
            assert (response.status, json.load(response)["code"]) == (413, "body_too_large")
        assert post(f"{url}/v1/solve", {"kind": "sudoku", "grid": question(1)})[0] == 200


def test_requests_that_trickle_in_are_cut_off_while_others_are_answered(bundle: Path) -> None:
    flags = ("--bundles", str(bundle), "--receive-seconds", "0.5")
    with serving(*flags) as (_, url):
        host, port = url.removeprefix("http://").split(":")
        head = b"POST /v1/solve HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
        with (
            socket.create_connection((host, int(port)), TIMEOUT_S) as silent,
            socket.create_connection((host, int(port)), TIMEOUT_S) as in_head,
            socket.create_connection((host, int(port)), TIMEOUT_S) as in_body,
        ):
            in_head.sendall(head)
            in_body.sendall(head + b"\r\n{")
            assert post(f"{url}/v1/solve", {"kind": "sudoku", "grid": question(1)})[0] == 200
            assert in_body.makefile("rb").read().startswith(b"HTTP/1.1 408")
            assert (silent.recv(1), in_head.recv(1)) == (b"", b"")


def test_a_used_port_is_one_line(bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = failed_start("--bundles", str(bundle), "--port", port)
    assert f"cannot serve on 127.0.0.1:{port}" in said


def test_a_damaged_bundle_is_one_line(tmp_path: Path) -> None:
    write_bundle(tmp_path, [FOUR])
    (tmp_path / "step-sudoku-4x4.onnx").write_bytes(b"damaged")
    assert "sha256" in failed_start("--bundles", str(tmp_path), "--port", "0")


def test_serving_and_solving_load_no_training_code() -> None:
    code = (
        "import sys, server.app, server.serving, server.offline, server.show;"
        "heavy = {'torch', 'onnx', 'matplotlib', 'numba', 'model', 'training'};"
        "sys.exit(', '.join(heavy & sys.modules.keys()) or 0)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")
