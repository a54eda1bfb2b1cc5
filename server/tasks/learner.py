"""The thread that has tasks learnt, one at a time, while solving goes on."""

import logging
import threading
from collections.abc import Callable
from typing import final

from server.disk import StorageError
from server.metrics import Metrics
from server.tasks.directory import Registration, TaskDirectory
from server.tasks.process import AdaptationProcess, Command
from server.tasks.schemas import TaskProgress

log = logging.getLogger(__name__)


@final
class Learner:
    """A queue of tasks and the process that learns the first of them. From any thread."""

    def __init__(
        self,
        directory: TaskDirectory,
        command: Command,
        on_learnt: Callable[[Registration], None],
        metrics: Metrics,
    ) -> None:
        """on_learnt: called on the thread when a bundle is there; what it raises is a failure."""
        self._directory = directory
        self._command = command
        self._on_learnt = on_learnt
        self._metrics = metrics
        self._changed = threading.Condition()
        self._waiting: list[Registration] = []
        self._current: Registration | None = None
        self._process: AdaptationProcess | None = None
        self._progress: TaskProgress | None = None
        self._dropped = False  # the current task is not wanted any more
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="ponder-learner", daemon=True)
        metrics.watch_adaptations(lambda: len(self._waiting))

    def start(self) -> None:
        """Begin to learn."""
        self._thread.start()

    def close(self) -> None:
        """End now; the task that was being learnt, and those that wait, begin anew next time."""
        with self._changed:
            self._closing = True
            self._stop_current()
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def put(self, task: Registration) -> None:
        """Learn this one, after those that wait."""
        with self._changed:
            self._waiting.append(task)
            self._changed.notify()

    def drop(self, task_id: str) -> None:
        """Do not learn this one; returns when nobody works on it any more."""
        with self._changed:
            self._waiting = [task for task in self._waiting if task.id != task_id]
            if self._current is not None and self._current.id == task_id:
                self._dropped = True
                self._stop_current()
                self._changed.wait_for(lambda: not self._dropped)

    @property
    def waiting(self) -> int:
        """How many tasks wait."""
        return len(self._waiting)

    def place(self, task_id: str) -> int | None:
        """0: it is being learnt; n: it is the n-th that waits; None: neither."""
        with self._changed:
            if self._current is not None and self._current.id == task_id:
                return 0
            ids = [task.id for task in self._waiting]
            return ids.index(task_id) + 1 if task_id in ids else None

    def progress(self, task_id: str) -> TaskProgress | None:
        """How far the task is that is being learnt; None for any other."""
        with self._changed:
            is_current = self._current is not None and self._current.id == task_id
            return self._progress if is_current else None

    def _stop_current(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                self._learn(task)
            except Exception as error:  # one task must not end the thread
                log.exception("task not learnt", extra={"task": task.id})
                self._fail(task, f"{type(error).__name__}: {error}")
            finally:
                with self._changed:
                    self._current = self._process = self._progress = None
                    self._dropped = False
                    self._changed.notify_all()

    def _next(self) -> Registration | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting)
            if self._closing:
                return None
            self._current = self._waiting.pop(0)
            return self._current

    def _learn(self, task: Registration) -> None:
        log.info("task is being learnt", extra={"task": task.id, "minutes": task.minutes})
        with AdaptationProcess(self._command(task), self._directory.log(task.id)) as process:
            with self._changed:
                self._process = process
                if self._closing or self._dropped:
                    return
            for progress in process.progress():
                with self._changed:
                    self._progress = progress.after(self._progress)
            status = process.wait()
            if self._closing or self._dropped:
                return
            if status or not self._directory.is_ready(task.id):
                self._fail(task, f"{process.last_words()} (exit status {status})")
                return
        if self._progress is not None:
            self._directory.keep_outcome(task.id, self._progress)
        self._on_learnt(task)
        self._metrics.adaptation("ready")
        log.info("task learnt", extra={"task": task.id})

    def _fail(self, task: Registration, why: str) -> None:
        log.warning("task not learnt", extra={"task": task.id, "why": why})
        self._metrics.adaptation("failed")
        try:
            self._directory.keep_failure(task.id, why)
        except StorageError:  # then it is tried again at the next start
            log.exception("failure not kept", extra={"task": task.id})
