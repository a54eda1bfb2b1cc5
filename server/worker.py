"""The thread that owns a device: plan → step → settle, lane after lane, until it is closed.

A step that fails costs the puzzles that were in it. A lane that fails again and again is given up:
who waits there is told, who comes is refused, the other lanes go on, and it is probed until it
works.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import final

from server.breaker import Breaker
from server.lane import Job, Lane, SolveResult, StepReport
from server.metrics import Metrics
from server.plan import Departure, Plan
from server.roster import Roster

log = logging.getLogger(__name__)

PROBE_SECONDS = 1.0


class EngineFailedError(Exception):
    """A supervision step failed; the puzzles that were in it are lost."""

    def __init__(self) -> None:
        super().__init__("the supervision step with this puzzle in it failed")


class EngineDownError(Exception):
    """Supervision steps of this puzzle's size fail again and again; `retry_after_s`: a probe."""

    def __init__(self, puzzle: str, retry_after_s: float) -> None:
        super().__init__(f"supervision steps of {puzzle} fail; they are tried again")
        self.retry_after_s = retry_after_s


class WorkerClosedError(Exception):
    """The worker was closed before this puzzle was done."""

    def __init__(self) -> None:
        super().__init__("the server stopped before this puzzle was done")


@final
class Worker:
    """Steps every lane with work in turn, on one thread. Its methods may be called from any.

    Schedulers are only touched under the lock; engines only by the thread, outside it, so that
    puzzles are accepted and cancelled while a supervision step runs. A lane that is no resident is
    a guest: it comes with its first job, or was replaced, and is forgotten once it has no job.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        """probe_seconds: between the probes of a lane that was given up."""
        self._roster = Roster(lanes, probe_seconds)
        self._metrics = metrics
        self._clock = clock
        self._changed = threading.Condition()
        self._draining = False
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
    def lanes(self) -> tuple[Lane, ...]:
        """The residents, and guests that have work."""
        return self._roster.lanes

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def idle(self) -> bool:
        """Whether no puzzle waits or works."""
        with self._changed:
            return all(lane.scheduler.idle for lane in self.lanes)

    @property
    def healthy(self) -> bool:
        """Whether every lane works."""
        return self._roster.healthy

    def submit(self, jobs: Sequence[Job], background: Hashable | None = None) -> None:
        """Queue the jobs of a request, all or none; those of a lane that is given up fail.

        background: the batch whose lines they are; they wait behind all requests and need no room.
        Raises: QueueFullError, WorkerClosedError.
        """
        request = object() if background is None else background
        behind = background is not None
        with self._changed:
            if self._closing or (behind and self._draining):
                raise WorkerClosedError
            self._roster.welcome(job.lane for job in jobs)
            down = [(job, self._down(job.lane)) for job in jobs if self._is_down(job.lane)]
            queued = [job for job in jobs if not self._is_down(job.lane)]
            for lane in () if behind else self.lanes:
                lane.scheduler.check_room(sum(job.lane is lane for job in queued))
            for job in queued:
                job.lane.scheduler.submit(
                    job,
                    job.budget,
                    job.arrived_s,
                    request,
                    background=behind,
                    alone=job.observer is not None,  # who watches follows one attempt at a time
                )
            self._changed.notify()
        for job in queued:  # weakly, so that a job, and with it its lane, is no cycle
            job.future.add_done_callback(partial(self._forget_cancelled, weakref.ref(job)))
        for job, error in down:
            _fail(job, error)

    def replace(self, lanes: Sequence[Lane]) -> None:
        """Have these residents in place of those that were: what those have in work goes on."""
        with self._changed:
            self._roster.replace(lanes)
            self._changed.notify()  # to forget those without work

    def drain(self, seconds: float) -> None:
        """Let no request run for longer than this; lines of batches fail at once, to be repeated.

        They get WorkerClosedError.
        """
        with self._changed:
            self._draining = True
            lines = [job for lane in self.lanes for job in lane.scheduler.clear_background()]
            for lane in self.lanes:
                lane.scheduler.limit_deadlines(self._clock() + seconds)
        for job in lines:
            _fail(job, WorkerClosedError())

    def _forget_cancelled(self, weak_job: weakref.ref[Job], future: Future[SolveResult]) -> None:
        if future.cancelled() and (job := weak_job()) is not None:
            with self._changed:
                job.lane.scheduler.cancel(job)

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._advance_all()
                if self._roster.has_guests:
                    with self._changed:
                        self._roster.forget_guests()
        finally:
            self._abandon()

    def _wait_for_work(self) -> bool:
        """Sleep until there is any; false once the worker is to close."""
        with self._changed:
            probe_s = self._roster.seconds_to_probe(self._clock())
            self._changed.wait_for(self._has_work, timeout=probe_s)
            return not self._closing

    def _has_work(self) -> bool:
        return (
            self._closing
            or self._roster.has_guests
            or any(not lane.scheduler.idle for lane in self.lanes)
        )

    def _advance_all(self) -> None:  # a function of its own, so that no variable keeps a lane
        for lane in self.lanes:
            self._advance(lane)

    def _advance(self, lane: Lane) -> None:
        """One supervision step of a lane, or its probe."""
        breaker = self._roster.breaker(lane)
        if breaker.is_open:
            self._probe(lane, breaker)
            return
        with self._changed:
            plan = lane.scheduler.plan(self._clock())
        try:
            self._step(lane, plan)
        except Exception:  # onnxruntime's errors have no common base; one lane must not end all
            self._lane_failed(lane, plan)
        else:
            if plan.rows:
                breaker.succeeded()

    def _step(self, lane: Lane, plan: Plan[Job]) -> None:
        self._deliver(lane, plan.expired)
        if not plan.rows:
            return
        started_s = self._clock()
        report = lane.step(plan)
        now_s = self._clock()
        self._metrics.step(lane.name, rows=len(plan.rows), seconds=now_s - started_s)
        with self._changed:
            departures = lane.scheduler.settle(plan, report.outcomes, now_s)
        self._deliver(lane, departures, report)

    def _probe(self, lane: Lane, breaker: Breaker) -> None:
        """Try a lane that was given up, if it is time."""
        if breaker.seconds_to_probe(self._clock()) > 0:
            return
        try:
            lane.warm()
        except Exception:
            log.exception("probe failed", extra={"puzzle": lane.name})
            self._metrics.engine_failure(lane.name)
            breaker.failed(self._clock())
        else:
            log.info("lane works again", extra={"puzzle": lane.name})
            breaker.succeeded()

    def _deliver(
        self, lane: Lane, departures: Sequence[Departure[Job]], report: StepReport | None = None
    ) -> None:
        for departure in departures:
            result = lane.result(departure, report)
            if departure.job.future.set_running_or_notify_cancel():  # else the client went away
                self._metrics.solve(result)
                lane.counts.answered(result.finish.status)
                departure.job.future.set_result(result)

    def _lane_failed(self, lane: Lane, plan: Plan[Job]) -> None:
        """Fail the puzzles of a failed step; give the lane up if it was one too many."""
        requests = dict.fromkeys(row.job.request_id for row in plan.rows if row.job.request_id)
        fields = {"puzzle": lane.name, "rows": len(plan.rows), "requests": ",".join(requests)}
        log.exception("supervision step failed", extra=fields)
        self._metrics.engine_failure(lane.name)
        breaker = self._roster.breaker(lane)
        lost = list(dict.fromkeys(row.job for row in plan.rows))
        with self._changed:
            for job in lost:
                lane.scheduler.cancel(job)
            breaker.failed(self._clock())
            refused = lane.scheduler.clear() if breaker.is_open else ()
        for job in lost + [late.job for late in plan.expired]:
            _fail(job, EngineFailedError())
        for job in refused:
            _fail(job, self._down(lane))
        if breaker.is_open:
            log.error("lane given up", extra={"puzzle": lane.name, "waiting": len(refused)})
        try:
            lane.reset()
        except Exception:  # the next step will tell whether that matters
            log.exception("engine reset failed", extra={"puzzle": lane.name})

    def _is_down(self, lane: Lane) -> bool:
        return self._roster.breaker(lane).is_open

    def _down(self, lane: Lane) -> EngineDownError:
        return EngineDownError(
            lane.name, self._roster.breaker(lane).seconds_to_probe(self._clock())
        )

    def _abandon(self) -> None:
        with self._changed:
            self._closing = True
            jobs = [job for lane in self.lanes for job in lane.scheduler.clear()]
        for job in jobs:
            _fail(job, WorkerClosedError())


def _fail(job: Job, error: Exception) -> None:
    """End a job that has not ended yet."""
    future = job.future
    if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
        future.set_exception(error)
