"""A server that learns tasks with a stand-in for the learning process, and how to talk to it."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from server.app import create_app
from server.loading import load_solver, open_task_lanes
from server.settings import Settings
from server.tasks.directory import Registration
from server.tasks.service import Tasks
from tests.server.arc_bundle import GRID
from tests.training.arc_tasks import fill_task, mirror_task

NEW, OTHER = mirror_task(50)["train"], fill_task(51)["train"]
DEADLINE_SECONDS = 20.0
LOOPBACK = ("127.0.0.1", 50000)  # where an administrator's requests may come from


class Served:
    """A server with tasks; `mode` says how the next learning processes do."""

    def __init__(self, bundle: Path, directory: Path, **settings: Any) -> None:
        self.mode = "learn"
        self.directory = directory
        self.begun: list[str] = []
        self._bundle = bundle
        self._settings = Settings(
            bundles=(bundle,), threads=1, slots=3, task_dir=directory, **settings
        )

    @contextmanager
    def running(self) -> Iterator[TestClient]:
        solver = load_solver(self._settings)
        tasks = Tasks(
            solver,
            self._settings,
            lambda bundle: open_task_lanes(bundle, self._settings),
            command=self.command_of,
        )
        app = create_app(solver, self._settings, tasks=tasks)
        with TestClient(app, client=LOOPBACK) as client:
            yield client

    def command_of(self, asked: Registration) -> Sequence[str]:
        self.begun.append(asked.id)
        task = self.directory / asked.id / "task.json"
        paths = (task, task.with_name("bundle"), self._bundle)
        script = Path(__file__).with_name("fake_learning.py")
        run = f"import runpy, sys; sys.argv[0] = {str(script)!r}; "
        run += f"runpy.run_path({str(script)!r}, run_name='__main__')"
        return [sys.executable, "-c", run, self.mode, *map(str, paths), asked.id]


def until(holds: Callable[[], Any]) -> Any:
    """Wait for another process; the value once it is true."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not (value := holds()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
    return value


def register(client: TestClient, train: Any = NEW, **body: Any) -> Any:
    response = client.post("/v1/tasks", json={"train": train} | body)
    assert response.status_code == 202, response.text
    assert response.headers["Location"] == f"/v1/tasks/{response.json()['id']}"
    return response.json()


def state(client: TestClient, task_id: str, wanted: str) -> Any:
    def there() -> Any:
        task = client.get(f"/v1/tasks/{task_id}").json()
        return task if task["state"] == wanted else None

    return until(there)


def ask(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/solve", json={"kind": "arc", "test": [GRID]} | body)


def problem(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]
