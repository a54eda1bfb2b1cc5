"""A server that is killed again and again answers every line of a batch once, in order."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.server.tiny_bundle import FOUR, HARD, four_solutions, with_empty, write_bundle

KILLS = 20
LINES = 400
STEPS = 120  # of a supervision step each, four lines at a time: several kills long
SLOWEST_KILL_S = 0.45  # from when the server answers
TIMEOUT_S = 30.0


def lines() -> list[dict[str, Any]]:
    """Lines that are solved soon, or never, or are wrong."""
    hard = FOUR.format(with_empty(four_solutions()[7], HARD + 1))
    made: list[dict[str, Any]] = []
    for number in range(1, LINES + 1):
        empty = FOUR.format(with_empty(four_solutions()[number % 288], number % HARD))
        line = {"kind": "sudoku", "grid": empty, "custom_id": f"line {number}"}
        if number % 3:
            line |= {"grid": hard, "max_steps": STEPS, "attempts": 1}
        if number % 50 == 0:
            line |= {"grid": "wrong"}
        made.append(line)
    return made


def expected(line: dict[str, Any]) -> str:
    if line["grid"] == "wrong":
        return "invalid"
    return "unsolved" if "max_steps" in line else "solved"


def outcome(result: dict[str, Any]) -> str:
    return "invalid" if result["problem"] else str(result["result"]["status"])


@contextmanager
def killed_at_the_end(bundle: Path, directory: Path) -> Iterator[str]:
    """The URL of a server that is killed, without a word, at the end of the block."""
    flags = ("--port", "0", "--threads", "1", "--slots", "4", "--bundles", str(bundle))
    process = subprocess.Popen(
        [sys.executable, "-m", "server", *flags, "--batch-dir", str(directory)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    with process.stderr:
        said = []
        try:
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"serving url=(http://\S+)", line):
                    yield found[1]
                    return
            raise AssertionError("".join(said))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(TIMEOUT_S)


def read_on(client: httpx2.Client, url: str, so_far: bytes) -> bytes:
    """What the results hold beyond what is known of them."""
    response = client.get(url, headers={"Range": f"bytes={len(so_far)}-"})
    return response.content if response.status_code == 206 else b""


def test_twenty_kills_lose_no_line_and_answer_none_twice(tmp_path: Path) -> None:
    where = tmp_path / "tiny", tmp_path / "batches"
    write_bundle(where[0], [FOUR])
    sent = lines()
    rng = random.Random(20)  # noqa: S311
    location, so_far = "", b""
    with httpx2.Client(timeout=TIMEOUT_S) as client:
        for _ in range(KILLS):
            with killed_at_the_end(*where) as url:
                kill_at_s = time.monotonic() + rng.uniform(0, SLOWEST_KILL_S)
                if not location:
                    body = "\n".join(map(json.dumps, sent))
                    media = {"Content-Type": "application/x-ndjson"}
                    response = client.post(f"{url}/v1/batches", content=body, headers=media)
                    location = response.headers["location"]
                while time.monotonic() < kill_at_s:
                    so_far += read_on(client, f"{url}{location}/results", so_far)
        assert so_far
        with killed_at_the_end(*where) as url:
            until_s = time.monotonic() + TIMEOUT_S
            while (batch := client.get(url + location).json())["state"] != "done":
                assert batch["state"] == "running"
                assert time.monotonic() < until_s
            whole = client.get(f"{url}{location}/results")
    assert whole.headers["ponder-complete"] == "true"
    assert whole.content.startswith(so_far)  # what was read once stays
    results = [json.loads(line) for line in whole.text.splitlines()]
    assert [result["line"] for result in results] == list(range(1, LINES + 1))
    assert [result["custom_id"] for result in results] == [line["custom_id"] for line in sent]
    assert [outcome(result) for result in results] == [expected(line) for line in sent]
    counts = batch["counts"]
    assert counts["total"] == counts["answered"] == LINES
    assert counts["invalid"] == LINES // 50
