"""Everything that one server does with tasks handed in: what the endpoints call, off the loop."""

import importlib.util
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import final

from export.manifest import BundleError, Manifest
from puzzles.arc import ARCS
from puzzles.arc_task import ArcTask, InvalidTaskError
from puzzles.errors import CellProblem
from server.effort import LimitExceededError
from server.errors import problem_of
from server.ids import RANDOM_BYTES, sortable_id
from server.lane import Lane
from server.loaded import OpenBundle
from server.settings import Settings
from server.solver import Solver
from server.tasks.catalog import UnknownTaskError, read_rows
from server.tasks.directory import PREFIX, Registration, TaskDirectory
from server.tasks.errors import (
    AdaptationFailedError,
    AdaptationQueueFullError,
    AdaptationUnavailableError,
    TaskInBundleError,
    TaskNotReadyError,
)
from server.tasks.guests import GuestLanes
from server.tasks.learner import Learner
from server.tasks.process import Command, adapting_command
from server.tasks.schemas import Task, TaskRequest, TaskState

log = logging.getLogger(__name__)

NEEDED = ("torch", "onnx", "onnxscript", "safetensors")  # of the extra


@dataclass(frozen=True)
class Adaptable:
    """A loaded bundle that tasks can be learnt from; side: of its largest canvas."""

    model: str
    bundle: Path
    side: int


@final
class Tasks:
    """A directory of tasks and the thread that has them learnt; a context manager."""

    def __init__(
        self,
        solver: Solver,
        settings: Settings,
        open_lanes: Callable[[Path], tuple[Lane, ...]],
        command: Command | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the directory for this server alone; the tasks that it has learnt can be asked.

        open_lanes: of a learnt task's bundle; command: of the learning
        process; clock: seconds since 1970. Raises: TaskDirectoryError, StorageError.
        """
        self._solver = solver
        self._settings = settings
        self._clock = clock
        self._missing = [] if command else [n for n in NEEDED if not importlib.util.find_spec(n)]
        self._directory = TaskDirectory(settings.task_dir)
        self._guests = GuestLanes(
            lambda task_id: open_lanes(self._directory.bundle(task_id)), settings.tasks_loaded
        )
        made = command or adapting_command(settings, self._directory, self._bundle_of)
        self._learner = Learner(self._directory, made, self._learnt, solver.metrics)
        self._known: dict[str, Registration] = {}
        self._registering = threading.Lock()
        for task in self._directory.registrations():
            self._take_up(task)

    def __enter__(self) -> "Tasks":
        self._learner.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._learner.close()
        self._directory.close()

    def register(self, request: TaskRequest) -> Task:
        """A task that is known already, or one that will be learnt; the same twice is one.

        Unless its canvas is too small for the grids to come: then it is learnt on a larger one.
        Raises: InvalidTaskError, LimitExceededError, AdaptationUnavailableError,
        AdaptationQueueFullError, StorageError.
        """
        asked = ArcTask.read({"train": request.train})
        side = max(asked.side, request.side or 0)
        with self._registering:
            try:
                rows = self._solver.catalog.recognise(asked, side=side).rows
                if side <= rows.side:
                    return self.get(rows.name)
            except UnknownTaskError:
                pass
            for task in self._known.values():
                if _holds(task, asked, side):
                    return self._again(task)
            task = self._new(request, asked)
            self._directory.create(task)
            self._known = self._known | {task.id: task}
            self._learner.put(task)
            return self.get(task.id)

    def get(self, task_id: str) -> Task:
        """Raises: UnknownTaskError."""
        task = self._known.get(task_id)
        if task is None:
            self._solver.catalog.named(task_id)
            return Task(id=task_id, name=None, state="ready", origin="bundle")
        place = self._learner.place(task_id)
        state, progress = self._state(task_id, place), None
        if state == "adapting":
            progress = self._learner.progress(task_id)
        elif state != "queued":
            progress = self._directory.outcome(task_id)
        why = self._directory.failure(task_id) or "what was learnt is damaged; see the log"
        return Task(
            id=task_id,
            name=task.name,
            state=state,
            origin="adapted",
            created_at=datetime.fromtimestamp(task.created_ms / 1000, UTC),
            queue_position=place or None,
            progress=progress,
            problem=problem_of(AdaptationFailedError(why)) if state == "failed" else None,
        )

    def adapted(self) -> tuple[Task, ...]:
        """What was handed in here, oldest first."""
        return tuple(self.get(task_id) for task_id in self._known)

    def check_ready(self, task_id: str) -> None:
        """Raises: TaskNotReadyError for a task that is not learnt."""
        if task_id in self._known and (task := self.get(task_id)).state != "ready":
            why = f": {task.problem.detail}" if task.problem else ""
            raise TaskNotReadyError(f"{task_id} is {task.state}{why}")

    def delete(self, task_id: str) -> None:
        """Stop learning a task and forget it.

        Raises: UnknownTaskError, TaskInBundleError, StorageError.
        """
        with self._registering:
            if task_id not in self._known:
                self._solver.catalog.named(task_id)
                raise TaskInBundleError(task_id)
            self._learner.drop(task_id)
            self._solver.catalog.remove(task_id)
            self._guests.forget(task_id)
            self._directory.remove(task_id)
            self._known = {key: task for key, task in self._known.items() if key != task_id}

    def _state(self, task_id: str, place: int | None) -> TaskState:
        if place is not None:
            return "queued" if place else "adapting"
        return "ready" if task_id in self._solver.catalog.names else "failed"

    def _take_up(self, task: Registration) -> None:
        """At the start: what is learnt can be asked, what is not, and did not fail, is queued."""
        self._known[task.id] = task
        if self._directory.is_ready(task.id):
            try:
                self._learnt(task)
            except BundleError:
                log.exception("learnt task cannot be served", extra={"task": task.id})
        elif self._directory.failure(task.id) is None:
            self._learner.put(task)

    def _learnt(self, task: Registration) -> None:
        """Raises: BundleError."""
        bundle = self._directory.bundle(task.id)
        for rows in read_rows(bundle, Manifest.read(bundle), lambda _: self._guests.lanes(task.id)):
            self._solver.catalog.add(rows)

    def _again(self, task: Registration) -> Task:
        found = self.get(task.id)
        if found.state != "failed":
            return found
        self._check_able()
        self._directory.begin_anew(task.id)
        self._learner.put(task)
        return self.get(task.id)

    def _new(self, request: TaskRequest, asked: ArcTask) -> Registration:
        adaptable = self._check_able()
        side, largest = max(asked.side, request.side or 0), max(one.side for one in adaptable)
        if side > largest:
            message = f"a grid with a side of {side} cells; the largest canvas has {largest}"
            place = "train" if asked.side == side else "side"
            raise InvalidTaskError(place, CellProblem(message))
        minutes, limit = request.minutes, self._settings.adapt_minutes_limit
        if minutes is not None and minutes > limit:
            raise LimitExceededError("minutes", minutes, limit)
        now_ms = int(1000 * self._clock())
        return Registration(
            id=sortable_id(PREFIX, now_ms, secrets.token_bytes(RANDOM_BYTES)),
            name=request.name,
            created_ms=now_ms,
            train=request.train,
            model=next(one.model for one in adaptable if side <= one.side),
            what=request.what,
            minutes=minutes or min(self._settings.adapt_minutes, limit),
            tries=request.tries or self._settings.adapt_tries,
            side=request.side,
        )

    def _check_able(self) -> tuple[Adaptable, ...]:
        """What a task can be learnt from, one at least.

        Raises: AdaptationUnavailableError, AdaptationQueueFullError.
        """
        if self._missing:
            raise AdaptationUnavailableError(
                f"this server cannot learn tasks: {', '.join(self._missing)} are not installed; "
                "pip install 'ponder[adapt]'"
            )
        adaptable = _adaptable(self._solver.loaded.bundles)
        if not adaptable:
            raise AdaptationUnavailableError("no loaded bundle has weights to learn from")
        if self._learner.waiting >= self._settings.adapt_queue_limit:
            raise AdaptationQueueFullError(self._settings.adapt_queue_limit)
        return adaptable

    def _bundle_of(self, model: str) -> Path:
        for one in _adaptable(self._solver.loaded.bundles):
            if one.model == model:
                return one.bundle
        raise AdaptationUnavailableError(f"the bundle {model} is not loaded any more")


def _adaptable(bundles: Sequence[OpenBundle]) -> tuple[Adaptable, ...]:
    """Those of the loaded bundles that tasks can be learnt from.

    Smallest canvases first: they are the cheapest to learn on.
    """
    found = [
        Adaptable(
            one.name,
            one.path,
            max(graph.spec.height for graph in one.manifest.graphs),
        )
        for one in bundles
        if one.manifest.tasks is not None and (one.path / one.manifest.tasks.checkpoint).is_dir()
    ]
    return tuple(sorted(found, key=lambda one: one.side))


def _holds(task: Registration, asked: ArcTask, side: int) -> bool:
    """Whether it is the asked one, on a canvas for grids with a side of so many cells."""
    read = ArcTask.read({"train": task.train})
    own = max(read.side, task.side or 0)
    canvas = next(arc.size for arc in ARCS if own <= arc.size)
    return side <= canvas and read.canonical.key == asked.canonical.key
