"""A runner of batches that is moved by hand; its solver is a fake whose answers a test gives."""

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any, final

from puzzles.errors import UnknownKindError
from server.batches.files import BatchFiles
from server.batches.runner import Runner, RunnerLimits
from server.batches.store import BatchRow, Store
from server.lane import SolveResult
from server.metrics import Metrics
from server.policy import Finish, Spent, Status, StoppedBy
from server.schemas import SolveRequest

SOLVED = Finish(Status.solved, StoppedBy.verified)
UNSOLVED = Finish(Status.unsolved, StoppedBy.max_steps)


@final
class FakeSolver:
    """Takes questions, whose grids are names here, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting: dict[str, Future[SolveResult]] = {}
        self.refuses: Exception | None = None

    def ask(self, request: SolveRequest, batch: str) -> Future[SolveResult]:
        if request.kind != "sudoku":
            raise UnknownKindError(f"no kind {request.kind}")
        if self.refuses is not None:
            raise self.refuses
        name = f"{batch}/{request.grid}"
        self.asked.append(name)
        self.waiting[name] = Future()
        return self.waiting[name]

    def answer(self, *names: str, finish: Finish = SOLVED) -> None:
        for name in names:
            result = SolveResult(
                "sudoku-4x4", "fake", finish, Spent(), None, None, None, None, 0.0, 0.0
            )
            self.waiting.pop(name).set_result(result)

    def fail(self, name: str, error: Exception) -> None:
        self.waiting.pop(name).set_exception(error)


@final
class Bench:
    """A runner on a directory, to be moved by hand; `restart` is what a kill leaves."""

    def __init__(self, directory: Path, lines_in_flight: int = 100) -> None:
        self.now_s = 1000.0
        self.files = BatchFiles(directory)
        self.store = Store(self.files.database)
        self._lines_in_flight = lines_in_flight
        self._start()

    def restart(self) -> None:
        """What is in memory is lost, what is on the disk stays."""
        self._forget()
        self._start()

    def close(self) -> None:
        """The test is over."""
        self._forget()
        self.store.close()

    def _forget(self) -> None:
        for name in list(self.runner._runs):
            self.runner._drop(name)

    def _start(self) -> None:
        self.solver = FakeSolver()
        self.metrics = Metrics("0")
        self.runner = Runner(
            self.store,
            self.files,
            self.solver.ask,
            RunnerLimits(self._lines_in_flight, keep_ms=60_000),
            self.metrics,
            lambda: self.now_s,
        )

    def add(self, name: str, *lines: str) -> None:
        """A batch of these lines; a name is made a request."""
        text = [line if line[:1] in "{x" else ask(line) for line in lines]
        self.files.upload(name).write_text("\n".join(text) + "\n")
        self.files.keep_upload(name)
        total = sum(bool(line) for line in text)
        self.store.insert(
            BatchRow(name, None, "queued", 1, None, None, 9, total, None, None, "hash")
        )

    def results(self, name: str) -> str:
        """Names of the lines that count as answered, and how."""
        size = self.store.get(name).progress.results_bytes
        stored = self.files.results(name).read_bytes()[:size]
        return " ".join(shown(json.loads(line)) for line in stored.splitlines())

    def state(self, name: str) -> str:
        return self.store.get(name).state


def ask(name: str) -> str:
    return json.dumps({"kind": "sudoku", "grid": name, "custom_id": name}) if name else ""


def shown(line: dict[str, Any]) -> str:
    how = line["problem"]["code"] if line["problem"] else line["result"]["status"]
    return f"{line['custom_id']}:{how}"
