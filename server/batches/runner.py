"""The thread that works on batches: takes them up, feeds their lines to the solver, stores answers.

It looks around every so often instead of being told of each answer: lines in flight outlast a
round, and answers are synced to the disk by the round, not one by one.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

from server.batches.errors import UnknownBatchError
from server.batches.files import BatchFiles
from server.batches.run import BatchRun
from server.batches.store import BatchRow, BatchState, Store
from server.batches.window import Ask, SolverStoppedError
from server.disk import StorageError
from server.errors import problem_of
from server.metrics import Metrics

log = logging.getLogger(__name__)

BATCHES_AT_ONCE = 4  # so that a small one does not wait for the end of a big one
ROUND_SECONDS = 0.1  # while there is work
IDLE_SECONDS = 60.0  # while there is none; what has expired is deleted as often


@dataclass(frozen=True)
class RunnerLimits:
    """Lines in work at once, of all batches, and how long a batch is kept once it has ended."""

    lines_in_flight: int
    keep_ms: int


@final
class Runner:
    """Works on the batches that a store says are unfinished, wherever they stand."""

    def __init__(
        self,
        store: Store,
        files: BatchFiles,
        ask: Ask,
        limits: RunnerLimits,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        """clock: seconds since 1970."""
        self._store = store
        self._files = files
        self._ask = ask
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._runs: dict[str, BatchRun] = {}
        self._failures: dict[str, str] = {}  # problems of batches, until the store knows them
        self._sweep_at_s = clock()
        self._by_state: Mapping[BatchState, int] = store.by_state()
        self._solver_stopped = False
        self._closing = False
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ponder-batches", daemon=True)
        metrics.watch_batches(lambda state: self._by_state[state])

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def notify(self) -> None:
        """There is a new batch, or one has been cancelled or deleted: look around now."""
        self._news.set()

    def close(self) -> None:
        """Store the answers that are there, and stop; the other lines wait for the next start."""
        self._closing = True
        self._news.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            while not (self._closing or self._solver_stopped):
                self._news.clear()
                try:
                    more = self.advance()
                except StorageError:
                    log.exception("batches cannot be worked on")
                    more = False
                self._news.wait(ROUND_SECONDS if more else IDLE_SECONDS)
            self._store_answers()
        finally:
            for batch_id in list(self._runs):
                self._drop(batch_id)

    def advance(self) -> bool:
        """One round; whether there was any batch to work on.

        Raises: StorageError if not even the database can be used.
        """
        unfinished = {row.id: row for row in self._store.unfinished(BATCHES_AT_ONCE)}
        for batch_id in self._runs.keys() - unfinished.keys():
            self._drop(batch_id)
        for batch_id, row in unfinished.items():
            if batch_id not in self._runs and batch_id not in self._failures:
                self._begin(row)
        for batch_id in list(self._runs):
            self._guarded(batch_id, self._go_on)
        self._record_failures()
        self._delete_expired()
        self._by_state = self._store.by_state()
        return bool(unfinished)

    def _store_answers(self) -> None:
        for batch_id in list(self._runs):
            self._guarded(batch_id, self._write)

    def _begin(self, row: BatchRow) -> None:
        if not self._store.start(row.id, self._now_ms()):
            return
        try:
            self._runs[row.id] = BatchRun(row, self._files, self._ask, self._clock)
        except StorageError as error:
            self._fail(row.id, error)
        else:
            done = row.progress.answered
            log.info("batch begun", extra={"batch": row.id, "lines": row.total, "answered": done})

    def _guarded(self, batch_id: str, act: Callable[[str, BatchRun], None]) -> None:
        """What goes wrong with a batch ends that batch, and no other."""
        try:
            act(batch_id, self._runs[batch_id])
        except Exception as error:  # a bug that one batch meets must not end the thread
            self._fail(batch_id, error)

    def _go_on(self, batch_id: str, run: BatchRun) -> None:
        share = self._limits.lines_in_flight // len(self._runs)
        in_flight = sum(other.in_flight for other in self._runs.values())
        room = min(share - run.in_flight, self._limits.lines_in_flight - in_flight)
        try:
            run.fill(room)
        except SolverStoppedError:
            self._solver_stopped = True
        self._write(batch_id, run)

    def _write(self, batch_id: str, run: BatchRun) -> None:
        written = run.write()
        if run.is_done:
            now_ms = self._now_ms()
            expires_ms = now_ms + self._limits.keep_ms
            counted = self._store.finish(batch_id, written.progress, now_ms, expires_ms)
        elif written.outcomes:
            counted = self._store.advance(batch_id, written.progress)
        else:
            return
        if counted:
            for outcome in written.outcomes:
                self._metrics.batch_line(outcome)
        if run.is_done or not counted:
            log.info("batch ended", extra={"batch": batch_id, "done": counted})
            self._drop(batch_id)

    def _fail(self, batch_id: str, error: Exception) -> None:
        log.error("batch failed", extra={"batch": batch_id}, exc_info=error)
        self._drop(batch_id)
        self._failures[batch_id] = problem_of(error).model_dump_json()

    def _drop(self, batch_id: str) -> None:
        run = self._runs.pop(batch_id, None)
        if run is not None:
            run.close()

    def _record_failures(self) -> None:
        """Tell the store; on a full disk it may take until there is room again."""
        for batch_id, problem in list(self._failures.items()):
            now_ms = self._now_ms()
            self._store.fail(batch_id, problem, now_ms, now_ms + self._limits.keep_ms)
            del self._failures[batch_id]

    def _delete_expired(self) -> None:
        if self._clock() < self._sweep_at_s:
            return
        self._sweep_at_s = self._clock() + IDLE_SECONDS
        for batch_id in self._store.expired(self._now_ms()):
            try:
                self._store.delete(batch_id)
            except UnknownBatchError:  # somebody was faster
                continue
            self._files.remove(batch_id)
            log.info("batch expired", extra={"batch": batch_id})

    def _now_ms(self) -> int:
        return int(1000 * self._clock())
