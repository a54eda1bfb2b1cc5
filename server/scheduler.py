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

Where nobody waits and rows cost nothing, a job on its later attempts gets more than one: `parallel`
rows are what the engine computes in the time of one, and those that are idle go to who can use
them (`divisible`), each for an attempt at a time. They are counted like all others.

*Background* jobs, the lines of batches, stand behind everybody else: they take a slot only while no
other job waits, leave a part of the slots free for who comes next, and make way when an attempt
ends while somebody waits. They have a queue of their own, without a limit: who submits them holds
back, and nobody else is refused for them.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Generic, final

from server.fair_queue import FairQueue
from server.pace import Pace
from server.plan import Departure, JobT, Plan
from server.policy import (
    CONTINUE,
    OUT_OF_ATTEMPTS,
    OUT_OF_TIME,
    Budget,
    Finish,
    Restart,
    StepOutcome,
    decide,
)
from server.slots import Entry, Row, Slots

SLOT_SECONDS_AT_FIRST = 1.0  # how long a row is taken to need before any has been seen
FREE_SHARE = 4  # one slot in so many is not for background jobs, where there are two at least


class QueueFullError(Exception):
    """No room in the waiting queue; `retry_after_s` estimates when there will be."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("the waiting queue is full")
        self.retry_after_s = retry_after_s


@final
class Scheduler(Generic[JobT]):
    """A bounded fair queue before a fixed number of slots. A step costs O(rows + log waiting)."""

    def __init__(
        self,
        *,
        slots: int,
        queue_limit: int,
        parallel: int = 1,
        divisible: Callable[[JobT], bool] = lambda _: True,
    ) -> None:
        """parallel: rows that a step computes in the time of one.

        divisible: whether a job has an attempt to begin beside those it makes; asked in `plan`.
        """
        self._slots = slots
        self._queue_limit = queue_limit
        self._parallel = min(parallel, slots)
        self._divisible = divisible
        self._entries: dict[JobT, Entry[JobT]] = {}  # of every job that is here
        self._queue: FairQueue[JobT] = FairQueue()
        self._background: FairQueue[JobT] = FairQueue()
        self._background_slots = max(1, slots - max(1, slots // FREE_SHARE))
        self._rows: Slots[JobT] = Slots()
        self._planned: tuple[Row[JobT], ...] = ()  # those of the last plan
        self._pace = Pace(slots / SLOT_SECONDS_AT_FIRST)
        self._settled_s = 0.0  # when slots were last seen, for the pace

    @property
    def slots(self) -> int:
        """Rows of a plan, at most."""
        return self._slots

    @property
    def parallel(self) -> int:
        """Attempts that a job makes at once, at most."""
        return self._parallel

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
        return len(self._rows)

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
        alone: bool = False,
    ) -> None:
        """Queue a job that arrived at `now_s`, in its request's line; None: a line of its own.

        alone: it makes its attempts one after the other.
        Raises: QueueFullError, which a background job never meets.
        """
        if not background:
            self.check_room(1)
        line = job if request is None else request
        entry = Entry[JobT](line, budget, now_s, background, alone)
        self._entries[job] = entry
        self._queue_of(entry).push(job, entry.request, budget.deadline_s)

    def cancel(self, job: JobT) -> None:
        """Forget a job, wherever it is; its slots are free from the next plan on."""
        entry = self._entries.get(job)
        if entry is None:
            return
        self._rows.leave_all(entry)
        self._queue_of(entry).remove(job)
        del self._entries[job]

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
        jobs = self._rows.jobs
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
        if not self._rows:
            self._settled_s = now_s
        while self._queue and len(self._rows) < self._slots:
            self._take_slot(self._queue.pop(), now_s)
        while self._background and len(self._rows) < self._background_slots:
            self._take_slot(self._background.pop(), now_s)
        if len(self._rows) < self._parallel and not self._somebody_waits:
            self._divide_jobs()
        self._planned = tuple(self._rows)
        return Plan(tuple(row.planned() for row in self._planned), expired)

    def settle(
        self, plan: Plan[JobT], outcomes: Sequence[StepOutcome], now_s: float
    ) -> list[Departure[JobT]]:
        """Take in a step: `outcomes[i]` is of row i of the last `plan`. Returns who is done."""
        restarts, departures = [], []
        for place, (row, outcome) in enumerate(zip(self._planned, outcomes, strict=True)):
            if not row.seated:  # cancelled, or solved by another row
                continue
            entry = row.entry
            row.steps += 1
            row.source = place
            entry.steps += 1
            decision = decide(outcome, entry.spent(row), entry.budget, now_s)
            if decision is CONTINUE:
                continue
            if isinstance(decision, Restart):
                restarts.append(row)
            elif decision == OUT_OF_ATTEMPTS and len(entry.rows) > 1:
                self._rows.leave(row)  # the others have attempts to end
            elif isinstance(decision, Finish):
                departures.append(self._depart(row.job, decision, now_s, row))
        self._planned = ()  # keeps no job, and with it no lane, for longer than its step
        for row in restarts:
            if row.seated:  # or another row has solved it
                self._restart(row)
        if len(plan.rows) == self._slots:
            self._pace.saw(len(departures), now_s - self._settled_s)
        self._settled_s = now_s
        return departures

    def _divide_jobs(self) -> None:
        """Let jobs begin an attempt beside those they make: one each, as far as rows go.

        A job gets a further row for each attempt that has come to nothing, so that no more work is
        wasted than was needed.
        """
        for job in self._rows.jobs:
            entry = self._entries[job]
            in_vain = entry.attempts - len(entry.rows)
            may = len(entry.rows) <= in_vain and entry.attempts < entry.budget.attempts
            if may and not entry.alone and self._divisible(job):
                self._rows.begin(job, entry)
            if len(self._rows) == self._parallel:
                break

    @property
    def _somebody_waits(self) -> bool:
        return bool(self._queue or self._background)

    def _restart(self, row: Row[JobT]) -> None:
        """Begin another attempt, if any is left: in place, or in line to let others in."""
        entry = row.entry
        entry.over.append(row.attempt)
        if entry.attempts < entry.budget.attempts and not self._makes_way(entry):
            row.begin_next()
            return
        self._rows.leave(row)
        if not entry.rows:
            self._queue_of(entry).push(row.job, entry.request, entry.budget.deadline_s)

    def _makes_way(self, entry: Entry[JobT]) -> bool:
        if len(entry.rows) > 1 and (self._somebody_waits or len(self._rows) > self._parallel):
            return True
        others_wait = self._queue_of(entry).holds_other_than(entry.request)
        if self._rows.held_by(entry.request) > 1 and others_wait:
            return True
        return entry.background and bool(self._queue)

    def _queue_of(self, entry: Entry[JobT]) -> FairQueue[JobT]:
        return self._background if entry.background else self._queue

    def _take_slot(self, job: JobT, now_s: float) -> None:
        entry = self._entries[job]
        if entry.started_s is None:
            entry.started_s = now_s
        self._rows.begin(job, entry)

    def _depart(
        self, job: JobT, finish: Finish, now_s: float, row: Row[JobT] | None = None
    ) -> Departure[JobT]:
        """row: the one by which it is done; None: it waited."""
        entry = self._entries.pop(job)
        self._rows.leave_all(entry)
        return Departure(
            job,
            finish,
            entry.spent(row),
            entry.arrived_s,
            entry.started_s,
            left_s=now_s,
            row=row.source if row else None,
        )
