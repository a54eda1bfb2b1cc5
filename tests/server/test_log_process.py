"""The log of a real server: every line of it can be read by a machine, come what may."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.server.test_process import TIMEOUT_S, question
from tests.server.tiny_bundle import FOUR, write_bundle

BREAKS_AT = 5  # empty cells


@contextmanager
def serving(log: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server on a free port whose standard error goes to `log`, and its URL."""
    command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--threads", "1", *flags]
    with log.open("w") as stream:
        process = subprocess.Popen(command, stderr=stream)
    try:
        until_s = time.monotonic() + TIMEOUT_S
        while not (found := re.search(r'"serving".*"url": "([^"]+)"', log.read_text())):
            assert process.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.02)
        yield process, found[1]
    finally:
        process.kill()
        process.wait(TIMEOUT_S)


def test_every_line_is_json_also_of_what_libraries_say(tmp_path: Path) -> None:
    bundle, log = tmp_path / "bundle", tmp_path / "log"
    write_bundle(bundle, [FOUR], breaks_at=BREAKS_AT)
    flags = ("--bundles", str(bundle), "--log-format", "json", "--access-log", "true")
    with serving(log, *flags) as (process, url):
        body = {"kind": "sudoku", "grid": question(BREAKS_AT)}
        lost = httpx2.post(f"{url}/v1/solve", json=body, timeout=TIMEOUT_S)
        assert lost.json()["code"] == "engine_failed"
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
            connection.sendall(b"no HTTP at all\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    said = {line["message"]: line for line in lines}
    assert {"lane open", "serving", "supervision step failed", "request", "draining"} <= said.keys()
    assert said["supervision step failed"]["fields"]["requests"] == lost.headers["X-Request-ID"]
    assert said["request"]["request_id"] == lost.headers["X-Request-ID"]
    assert any(line["logger"].startswith("uvicorn") for line in lines)
