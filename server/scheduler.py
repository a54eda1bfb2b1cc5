"""In-flight batching: which rows take the next supervision step, and who leaves after it.

Pure: no tensors, threads or clock. A *job* is whatever the caller hands in (hashable, opaque);
a *row* is a job that sits in one of the slots. The loop around it is three lines:

    plan = scheduler.plan(now)                                 # halted rows' slots are refilled
    outcomes = engine.step(plan)                               # one supervision step of every row
    departures = scheduler.settle(plan, outcomes, now)         # done rows leave

A plan is dense: it holds exactly the rows in work, no padding. `PlannedRow.source` says which row
of the previous plan a row continues, so the carry is compacted, refilled and reset by it alone.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar, final

from server.policy import (
    OUT_OF_TIME,
    Budget,
    Finish,
    Restart,
    Spent,
    StepOutcome,
    decide,
)

FRESH = -1  # as `source`: the row starts anew
SLOT_SECONDS_AT_FIRST = 1.0  # how long a row is taken to need before any has been seen
SMOOTHING = 0.1  # weight of the newest departure in the mean time that a row needs

JobT = TypeVar("JobT", bound=Hashable)


class QueueFullError(Exception):
    """No room in the waiting queue; `retry_after_s` estimates when there will be."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("the waiting queue is full")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class PlannedRow(Generic[JobT]):
    """One row of a plan: continue row `source` of the previous plan, or begin `attempt` FRESH."""

    job: JobT
    source: int
    attempt: int  # counts from 1


@dataclass(frozen=True)
class Departure(Generic[JobT]):
    """A job that is done. `row`: its row in the settled plan, None if it never got a slot."""

    job: JobT
    finish: Finish
    spent: Spent
    arrived_s: float
    started_s: float | None
    left_s: float
    row: int | None = None


@dataclass(frozen=True)
class Plan(Generic[JobT]):
    """The rows of the next supervision step, and the jobs whose deadline passed while waiting."""

    rows: tuple[PlannedRow[JobT], ...]
    expired: tuple[Departure[JobT], ...] = ()


@dataclass
class _Entry:
    """A job's state while it waits or works."""

    budget: Budget
    arrived_s: float
    spent: Spent = field(default_factory=Spent)
    source: int = FRESH
    started_s: float | None = None


@final
class Scheduler(Generic[JobT]):
    """A bounded first-in-first-out queue before a fixed number of slots."""

    def __init__(self, *, slots: int, queue_limit: int) -> None:
        self._slots = slots
        self._queue_limit = queue_limit
        self._waiting: OrderedDict[JobT, _Entry] = OrderedDict()
        self._working: OrderedDict[JobT, _Entry] = OrderedDict()
        self._slot_seconds = SLOT_SECONDS_AT_FIRST

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._waiting)

    @property
    def working(self) -> int:
        """Rows in slots."""
        return len(self._working)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing works."""
        return not self._waiting and not self._working

    def check_room(self, jobs: int) -> None:
        """Check that so many more jobs fit into the queue. Raises: QueueFullError."""
        if len(self._waiting) + jobs > self._queue_limit:
            raise QueueFullError(self._slot_seconds * (1 + len(self._waiting) / self._slots))

    def submit(self, job: JobT, budget: Budget, now_s: float) -> None:
        """Queue a job that arrived at `now_s`. Raises: QueueFullError."""
        self.check_room(1)
        self._waiting[job] = _Entry(budget, arrived_s=now_s)

    def cancel(self, job: JobT) -> None:
        """Forget a job, wherever it is; its slot is free from the next plan on."""
        self._waiting.pop(job, None)
        self._working.pop(job, None)

    def limit_deadlines(self, deadline_s: float) -> None:
        """Let no job that is here now run past `deadline_s`."""
        for entry in (*self._waiting.values(), *self._working.values()):
            sooner = min(deadline_s, entry.budget.deadline_s)
            entry.budget = replace(entry.budget, deadline_s=sooner)

    def reset(self) -> tuple[JobT, ...]:
        """Empty the slots, whose carry is lost, and return their jobs; the queue stays."""
        jobs = tuple(self._working)
        self._working.clear()
        return jobs

    def clear(self) -> tuple[JobT, ...]:
        """Empty slots and queue and return their jobs."""
        jobs = (*self.reset(), *self._waiting)
        self._waiting.clear()
        return jobs

    def plan(self, now_s: float) -> Plan[JobT]:
        """Refill free slots in order of arrival and lay out the next supervision step."""
        expired = self._expire(now_s)
        while self._waiting and len(self._working) < self._slots:
            job, entry = self._waiting.popitem(last=False)
            entry.started_s = now_s
            entry.spent = entry.spent.after_restart()
            self._working[job] = entry
        rows = tuple(
            PlannedRow(job, entry.source, entry.spent.attempts)
            for job, entry in self._working.items()
        )
        return Plan(rows, expired)

    def settle(
        self, plan: Plan[JobT], outcomes: Sequence[StepOutcome], now_s: float
    ) -> list[Departure[JobT]]:
        """Take in a supervision step: `outcomes[i]` is of `plan.rows[i]`. Returns who is done."""
        departures = []
        for row, (planned, outcome) in enumerate(zip(plan.rows, outcomes, strict=True)):
            entry = self._working.get(planned.job)
            if entry is None:  # cancelled during the step
                continue
            entry.spent = entry.spent.after_step()
            entry.source = row
            decision = decide(outcome, entry.spent, entry.budget, now_s)
            if isinstance(decision, Finish):
                del self._working[planned.job]
                departures.append(self._departure(planned.job, entry, decision, now_s, row))
            elif isinstance(decision, Restart):
                entry.spent = entry.spent.after_restart()
                entry.source = FRESH
        return departures

    def _expire(self, now_s: float) -> tuple[Departure[JobT], ...]:
        late = [job for job, entry in self._waiting.items() if now_s >= entry.budget.deadline_s]
        return tuple(
            self._departure(job, self._waiting.pop(job), OUT_OF_TIME, now_s) for job in late
        )

    def _departure(
        self, job: JobT, entry: _Entry, finish: Finish, now_s: float, row: int | None = None
    ) -> Departure[JobT]:
        if entry.started_s is not None:
            self._slot_seconds += SMOOTHING * (now_s - entry.started_s - self._slot_seconds)
        return Departure(
            job, finish, entry.spent, entry.arrived_s, entry.started_s, left_s=now_s, row=row
        )
