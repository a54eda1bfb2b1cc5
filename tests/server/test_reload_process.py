"""A real server under load whose bundles are replaced, by HTTP and by SIGHUP: nobody is dropped."""

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.server.adapting_server import until
from tests.server.test_process import TIMEOUT_S, post, serving
from tests.server.tiny_bundle import FOUR, four_solutions, with_empty, write_bundle

SOLUTION = four_solutions()[7]
QUESTION = {"kind": "sudoku", "grid": with_empty(SOLUTION, 9).tolist()}
CLIENTS, RELOADS, LEAST_ANSWERS = 4, 6, 300


class Clients:
    """Threads that ask one puzzle after the other, each on a connection that it keeps."""

    def __init__(self, url: str) -> None:
        self.models: list[str] = []
        self.failures: list[object] = []
        self.are_done = threading.Event()
        self._url = url

    @contextmanager
    def asking(self) -> Iterator["Clients"]:
        threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.are_done.set()
            for thread in threads:
                thread.join(TIMEOUT_S)

    def _ask(self) -> None:
        try:
            with httpx2.Client(timeout=TIMEOUT_S) as client:
                while not self.are_done.is_set():
                    response = client.post(f"{self._url}/v1/solve", json=QUESTION)
                    answer = response.json()
                    if response.status_code == 200 and answer["solution"] == SOLUTION.tolist():
                        self.models.append(answer["model"])
                    else:
                        self.failures.append(answer)
        except Exception as error:
            self.failures.append(error)


def put(directory: Path, name: str) -> None:
    """Write a bundle aside, and rename it into the place of the one that is there."""
    write_bundle(directory / "aside", [FOUR], name=name)
    (directory / "bundle").rename(directory / "old")
    (directory / "aside").rename(directory / "bundle")
    shutil.rmtree(directory / "old")


def reloads(url: str, outcome: str) -> float:
    page = httpx2.get(f"{url}/metrics", timeout=TIMEOUT_S).text
    start = f'ponder_reloads_total{{outcome="{outcome}"}} '
    found = [line for line in page.splitlines() if line.startswith(start)]
    return sum(float(line.removeprefix(start)) for line in found)


def test_no_request_is_dropped_while_bundles_are_replaced(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", [FOUR], name="model-0")
    flags = ("--bundles", str(tmp_path / "bundle"), "--batches", "false", "--slots", "2")
    with serving(*flags) as (process, url), Clients(url).asking() as clients:
        for number in range(1, RELOADS + 1):
            put(tmp_path, f"model-{number}")
            if number % 2:
                status, answer = post(f"{url}/v1/models/reload", {})
                assert (status, answer["added"]) == (200, [f"model-{number}"])
            else:
                process.send_signal(signal.SIGHUP)
            until(lambda wanted=f"model-{number}": wanted in clients.models)
        (tmp_path / "bundle" / "step-sudoku-4x4.onnx").write_bytes(b"damaged")
        assert post(f"{url}/v1/models/reload", {})[1]["code"] == "reload_failed"
        process.send_signal(signal.SIGHUP)
        until(lambda: reloads(url, "failed") == 2)
        assert reloads(url, "done") == RELOADS
        until(lambda: len(clients.models) >= LEAST_ANSWERS)
        clients.are_done.set()
    assert clients.failures == []
    assert clients.models[-1] == f"model-{RELOADS}"
    assert set(clients.models) == {f"model-{number}" for number in range(RELOADS + 1)}
