"""Batches in a server process: SIGTERM, a second server, uploads that trickle or break off."""

import json
import signal
import socket
import time
from pathlib import Path

import httpx2

from tests.server.test_process import TIMEOUT_S, failed_start, question, serving
from tests.server.tiny_bundle import HARD

MEDIA = {"Content-Type": "application/x-ndjson"}
ENDLESS = {"kind": "sudoku", "grid": question(HARD + 1), "max_steps": 1024, "attempts": 1}
EASY = {"kind": "sudoku", "grid": question(2)}


def submit(url: str, *lines: object) -> str:
    """The path of a batch of these lines."""
    body = "\n".join(map(json.dumps, lines))
    response = httpx2.post(f"{url}/v1/batches", content=body, headers=MEDIA, timeout=TIMEOUT_S)
    assert response.status_code == 202
    return response.headers["location"]


def wait_for_answers(url: str, batch: str, answered: int) -> None:
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        if httpx2.get(url + batch).json()["counts"]["answered"] >= answered:
            return
    raise AssertionError(f"there were never {answered} answers")


def test_on_sigterm_a_batch_lets_go_at_once_and_goes_on_at_the_next_start(
    bundle: Path, tmp_path: Path
) -> None:
    flags = ("--bundles", str(bundle), "--slots", "4", "--batch-dir", str(tmp_path))
    with serving(*flags) as (process, url):
        batch = submit(url, EASY, *[ENDLESS] * 200, EASY)
        wait_for_answers(url, batch, 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S / 2) == 0
    with serving(*flags) as (_, url):
        found = httpx2.get(url + batch).json()
        assert found["state"] == "running"
        assert found["counts"]["unsolved"] == found["counts"]["answered"] - 1
        assert httpx2.delete(url + batch).status_code == 204
    assert not list(tmp_path.glob("batch_*"))


def test_a_directory_serves_one_server_unless_batches_are_off(bundle: Path, tmp_path: Path) -> None:
    flags = ("--bundles", str(bundle), "--slots", "4", "--batch-dir", str(tmp_path), "--port", "0")
    with serving(*flags):
        assert "in use by another server" in failed_start(*flags, "--log-level", "warning")
        with serving(*flags, "--batches", "false") as (_, url):
            assert httpx2.get(f"{url}/v1/batches").status_code == 404


def test_an_upload_that_stalls_gets_408_and_one_that_breaks_off_leaves_nothing(
    bundle: Path, tmp_path: Path
) -> None:
    head = b"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n"
    head += b"Content-Type: application/x-ndjson\r\n\r\n{"
    flags = ("--bundles", str(bundle), "--slots", "4", "--batch-dir", str(tmp_path))
    with serving(*flags, "--receive-seconds", "0.5") as (_, url):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), TIMEOUT_S) as stalled:
            stalled.sendall(head)
            with socket.create_connection((host, int(port)), TIMEOUT_S) as broken:
                broken.sendall(head)
            assert stalled.makefile("rb").read().startswith(b"HTTP/1.1 408")
        assert httpx2.get(f"{url}/v1/batches").json() == {"batches": [], "next": None}
        assert not list(tmp_path.glob("batch_*"))
        wait_for_answers(url, submit(url, EASY), 1)
