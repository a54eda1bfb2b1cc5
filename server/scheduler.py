"""In-flight batching: which rows take the next supervision step, and who leaves after it.

Pure: no tensors, threads or clock. A *job* is whatever the caller hands in (hashable, opaque);
a *row* is a job that sits in one of the slots. The loop around it is three lines:

    plan = scheduler.plan(now)                                 # halted rows' slots are refilled
    outcomes = engine.step(plan)                               # one supervision step of every row
    departures = scheduler.settle(plan, outcomes, now)         # done rows leave

A plan is dense: it holds exactly the rows in work, no padding. `PlannedRow.source` says which row
of the previous plan a row continues, so the carry is compacted, refilled and reset by it alone.

Requests take turns (`fair_queue`). A request that holds more than one slot while others wait gives
up each of them when an attempt ends without an answer; the job waits for its next attempt in line.
So a job alone in its request waits for at most one turn of every request before it, and turns come
at least once per attempt for as long as any request holds two slots.

*Background* jobs, the lines of batches, stand behind everybody else: they take a slot only while no
other job waits, leave a part of the slots free for who comes next, and make way when an attempt
ends while somebody waits. They have a queue of their own, without a limit: who submits them holds
back, and nobody else is refused for them.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar, final

from server.fair_queue import FairQueue
from server.pace import Pace
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
FREE_SHARE = 4  # one slot in so many is not for background jobs, where there are two at least

JobT = TypeVar("JobT", bound=Hashable)


class QueueFullError(Exception):
    """No room in the waiting queue; `retry_after_s` estimates when there will be."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("the waiting queue is full")
        self.retry_after_s = retry_after_s


class PlannedRow(NamedTuple, Generic[JobT]):
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

    request: Hashable
    budget: Budget
    arrived_s: float
    background: bool
    spent: Spent = field(default_factory=Spent)
    source: int = FRESH
    started_s: float | None = None


@final
class Scheduler(Generic[JobT]):
    """A bounded fair queue before a fixed number of slots. A step costs O(rows + log waiting)."""

    def __init__(self, *, slots: int, queue_limit: int) -> None:
        self._slots = slots
        self._queue_limit = queue_limit
        self._entries: dict[JobT, _Entry] = {}  # of every job that is here
        self._queue: FairQueue[JobT] = FairQueue()
        self._background: FairQueue[JobT] = FairQueue()
        self._background_slots = max(1, slots - max(1, slots // FREE_SHARE))
        self._working: dict[JobT, _Entry] = {}  # in the order of rows
        self._slots_of: Counter[Hashable] = Counter()  # by request, those that hold any
        self._pace = Pace(slots / SLOT_SECONDS_AT_FIRST)
        self._settled_s = 0.0  # when slots were last seen, for the pace

    @property
    def slots(self) -> int:
        """Rows of a plan, at most."""
        return self._slots

    @property
    def waiting(self) -> int:
        """Jobs in the queue, those in the background apart."""
        return len(self._queue)

    @property
    def background_waiting(self) -> int:
        """Background jobs without a slot."""
        return len(self._background)

    @property
    def working(self) -> int:
        """Rows in slots."""
        return len(self._working)

    @property
    def room(self) -> int:
        """How many more jobs fit into the queue."""
        return max(0, self._queue_limit - len(self._queue))

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing works."""
        return not self._entries

    def check_room(self, jobs: int) -> None:
        """Check that so many more jobs fit into the queue. Raises: QueueFullError.

        `retry_after_s` is the time in which what waits now will be gone, at the measured pace.
        """
        if jobs > self.room:
            raise QueueFullError(self._pace.seconds_for(len(self._queue)))

    def submit(
        self,
        job: JobT,
        budget: Budget,
        now_s: float,
        request: Hashable | None = None,
        *,
        background: bool = False,
    ) -> None:
        """Queue a job that arrived at `now_s`, in its request's line; None: a line of its own.

        Raises: QueueFullError, which a background job never meets.
        """
        if not background:
            self.check_room(1)
        entry = _Entry(job if request is None else request, budget, now_s, background)
        self._entries[job] = entry
        self._queue_of(entry).push(job, entry.request, budget.deadline_s)

    def cancel(self, job: JobT) -> None:
        """Forget a job, wherever it is; its slot is free from the next plan on."""
        if job in self._working:
            self._leave_slot(job)
        entry = self._entries.pop(job, None)
        if entry is not None:
            self._queue_of(entry).remove(job)

    def limit_deadlines(self, deadline_s: float) -> None:
        """Let no job that is here now run past `deadline_s`."""
        for entry in self._entries.values():
            sooner = min(deadline_s, entry.budget.deadline_s)
            entry.budget = replace(entry.budget, deadline_s=sooner)
        self._queue.limit_deadlines(deadline_s)
        self._background.limit_deadlines(deadline_s)

    def clear_background(self) -> tuple[JobT, ...]:
        """Forget all background jobs, wherever they are, and return them."""
        jobs = tuple(job for job, entry in self._entries.items() if entry.background)
        for job in jobs:
            self.cancel(job)
        return jobs

    def reset(self) -> tuple[JobT, ...]:
        """Empty the slots, whose carry is lost, and return their jobs; the queue stays."""
        jobs = tuple(self._working)
        for job in jobs:
            self.cancel(job)
        return jobs

    def clear(self) -> tuple[JobT, ...]:
        """Empty slots and queue and return their jobs."""
        jobs = (*self.reset(), *self._queue.clear(), *self._background.clear())
        self._entries.clear()
        return jobs

    def plan(self, now_s: float) -> Plan[JobT]:
        """Refill free slots, requests taking turns, and lay out the next supervision step."""
        expired = tuple(
            self._depart(job, OUT_OF_TIME, now_s)
            for queue in (self._queue, self._background)
            for job in queue.pop_late(now_s)
        )
        if not self._working:
            self._settled_s = now_s
        while self._queue and len(self._working) < self._slots:
            self._take_slot(self._queue.pop(), now_s)
        while self._background and len(self._working) < self._background_slots:
            self._take_slot(self._background.pop(), now_s)
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
                self._leave_slot(planned.job)
                departures.append(self._depart(planned.job, decision, now_s, row))
            elif isinstance(decision, Restart):
                self._restart(planned.job, entry)
        if len(plan.rows) == self._slots:
            self._pace.saw(len(departures), now_s - self._settled_s)
        self._settled_s = now_s
        return departures

    def _restart(self, job: JobT, entry: _Entry) -> None:
        """Begin another attempt: in place, or in line if the request must let others in."""
        entry.source = FRESH
        queue = self._queue_of(entry)
        others_wait = self._slots_of[entry.request] > 1 and queue.holds_other_than(entry.request)
        if others_wait or (entry.background and self._queue):
            self._leave_slot(job)
            queue.push(job, entry.request, entry.budget.deadline_s)
        else:
            entry.spent = entry.spent.after_restart()

    def _queue_of(self, entry: _Entry) -> FairQueue[JobT]:
        return self._background if entry.background else self._queue

    def _take_slot(self, job: JobT, now_s: float) -> None:
        entry = self._entries[job]
        if entry.started_s is None:
            entry.started_s = now_s
        entry.spent = entry.spent.after_restart()
        self._working[job] = entry
        self._slots_of[entry.request] += 1

    def _leave_slot(self, job: JobT) -> None:
        request = self._working.pop(job).request
        self._slots_of[request] -= 1
        if not self._slots_of[request]:
            del self._slots_of[request]

    def _depart(
        self, job: JobT, finish: Finish, now_s: float, row: int | None = None
    ) -> Departure[JobT]:
        entry = self._entries.pop(job)
        return Departure(
            job, finish, entry.spent, entry.arrived_s, entry.started_s, left_s=now_s, row=row
        )
