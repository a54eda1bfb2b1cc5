"""The thread that owns a device: plan → step → settle, lane after lane, until it is closed."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import final

from server.lane import Job, Lane, SolveResult, StepReport
from server.metrics import Metrics
from server.scheduler import Departure, Plan

log = logging.getLogger(__name__)


class EngineFailedError(Exception):
    """A supervision step failed; the puzzles that were in it are lost."""


class WorkerClosedError(Exception):
    """The worker was closed before this puzzle was done."""

    def __init__(self) -> None:
        super().__init__("the server stopped before this puzzle was done")


@final
class Worker:
    """Steps every lane with work in turn, on one thread. Its methods may be called from any.

    Schedulers are only touched under the lock; engines only by the thread, outside it, so that
    puzzles are accepted and cancelled while a supervision step runs.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes = lanes
        self._metrics = metrics
        self._clock = clock
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ponder-worker", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the step that runs; puzzles that are not done get WorkerClosedError."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def idle(self) -> bool:
        """Whether no puzzle waits or works."""
        with self._changed:
            return all(lane.scheduler.idle for lane in self._lanes)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue all of these jobs or none. Raises: QueueFullError, WorkerClosedError."""
        with self._changed:
            if self._closing:
                raise WorkerClosedError
            for lane in self._lanes:
                lane.scheduler.check_room(sum(job.lane is lane for job in jobs))
            for job in jobs:
                job.lane.scheduler.submit(job, job.budget, job.arrived_s)
            self._changed.notify()
        for job in jobs:
            job.future.add_done_callback(partial(self._forget_cancelled, job))

    def limit_deadlines(self, seconds: float) -> None:
        """Let nothing that was accepted run for longer than this."""
        with self._changed:
            for lane in self._lanes:
                lane.scheduler.limit_deadlines(self._clock() + seconds)

    def _forget_cancelled(self, job: Job, future: Future[SolveResult]) -> None:
        if future.cancelled():
            with self._changed:
                job.lane.scheduler.cancel(job)

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                for lane in self._lanes:
                    self._advance(lane)
        finally:
            self._abandon()

    def _wait_for_work(self) -> bool:
        """Sleep until there is any; false once the worker is to close."""
        with self._changed:
            self._changed.wait_for(self._has_work)
            return not self._closing

    def _has_work(self) -> bool:
        return self._closing or any(not lane.scheduler.idle for lane in self._lanes)

    def _advance(self, lane: Lane) -> None:
        with self._changed:
            plan = lane.scheduler.plan(self._clock())
        self._deliver(lane, plan.expired)
        if not plan.rows:
            return
        started_s = self._clock()
        try:
            report = lane.step(plan)
        except Exception:  # onnxruntime's errors have no common base; one lane must not end all
            self._lane_failed(lane, plan)
            return
        now_s = self._clock()
        self._metrics.step(lane.name, rows=len(plan.rows), seconds=now_s - started_s)
        with self._changed:
            departures = lane.scheduler.settle(plan, report.outcomes, now_s)
        self._deliver(lane, departures, report)

    def _deliver(
        self, lane: Lane, departures: Sequence[Departure[Job]], report: StepReport | None = None
    ) -> None:
        for departure in departures:
            result = lane.result(departure, report)
            if departure.job.future.set_running_or_notify_cancel():  # else the client went away
                self._metrics.solve(result)
                departure.job.future.set_result(result)

    def _lane_failed(self, lane: Lane, plan: Plan[Job]) -> None:
        log.exception(
            "supervision step failed", extra={"puzzle": lane.name, "rows": len(plan.rows)}
        )
        self._metrics.engine_failure(lane.name)
        with self._changed:
            jobs = lane.reset()
        for job in jobs:
            _fail(job, EngineFailedError("the supervision step with this puzzle in it failed"))

    def _abandon(self) -> None:
        with self._changed:
            self._closing = True
            jobs = [job for lane in self._lanes for job in lane.scheduler.clear()]
        for job in jobs:
            _fail(job, WorkerClosedError())


def _fail(job: Job, error: Exception) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
