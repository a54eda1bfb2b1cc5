"""The scheduler against a model of what it promises, in whatever order hypothesis thinks of.

Requests of one or several puzzles arrive, clients leave (also during a supervision step), steps
fail, deadlines pass, the server drains. Whatever happens: every job ends exactly once, no slot is
lost or taken twice, a row only ever continues its own state, requests take turns, and a job gets
further rows only while nobody waits.
"""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from puzzles.kind import Verdict
from server.plan import FRESH, Departure, Plan
from server.policy import Budget, Status, StepOutcome, StoppedBy
from server.scheduler import QueueFullError, Scheduler

QUEUE_LIMIT = 12
LONGEST_RUN = 1000  # supervision steps that everything left must end in; no budget needs a tenth


@dataclass(eq=False)
class Question:
    """A job: solved in `needs` supervision steps of one attempt, if its budget allows so many."""

    number: int
    request: "Request"
    needs: int
    deadline_s: float
    cancelled: bool = False
    ends: int = 0


@dataclass(eq=False)
class Request:
    """Questions that arrive together; `turns` before a request that is alone, by request."""

    questions: list[Question] = field(default_factory=list)
    may_go_first: frozenset["Request"] = frozenset()
    turns: set["Request"] = field(default_factory=set)


class SchedulerMachine(RuleBasedStateMachine):
    """Rules are what may happen; invariants and the checks in them are what is promised."""

    @initialize(
        slots=st.integers(1, 5),
        max_steps=st.integers(1, 4),
        attempts=st.integers(1, 7),
        parallel=st.integers(1, 5),
    )
    def begin(self, slots: int, max_steps: int, attempts: int, parallel: int) -> None:
        self.slots, self.max_steps, self.attempts = slots, max_steps, attempts
        self.parallel = parallel
        self.scheduler: Scheduler[Question] = Scheduler(
            slots=slots,
            queue_limit=QUEUE_LIMIT,
            parallel=parallel,
            divisible=lambda question: question.number % 3 > 0,
        )
        self.now_s = 0.0
        self.here: list[Question] = []
        self.started: set[Question] = set()
        self.known: list[Question] = []
        self.carry: list[tuple[Question, int, int]] = []  # whose state, attempt, age in steps
        self.begun: set[tuple[Question, int]] = set()  # attempts
        self.told: set[tuple[Question, int]] = set()  # of these, that a later one knows as over

    @rule(
        needs=st.lists(st.integers(1, 6), min_size=1, max_size=5),
        patience_s=st.one_of(st.none(), st.floats(0, 20)),
    )
    def arrive(self, needs: list[int], patience_s: float | None) -> None:
        deadline_s = math.inf if patience_s is None else self.now_s + patience_s
        if self.scheduler.waiting + len(needs) > QUEUE_LIMIT:
            self._refused(len(needs))
            return
        # Who has spent an attempt may be in line for the next one already.
        in_slots = {job for job, _, age in self.carry if age < self.max_steps}
        waiting = [job for job in self.here if job not in in_slots]
        request = Request(may_go_first=frozenset(job.request for job in waiting))
        for need in needs:
            question = Question(len(self.known), request, need, deadline_s)
            budget = Budget(self.max_steps, self.attempts, deadline_s)
            alone = question.number % 4 == 0
            self.scheduler.submit(question, budget, self.now_s, request, alone=alone)
            request.questions.append(question)
            self.known.append(question)
            self.here.append(question)

    def _refused(self, jobs: int) -> None:
        with pytest.raises(QueueFullError) as caught:
            self.scheduler.check_room(jobs)
        assert 0 < caught.value.retry_after_s < math.inf

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self._cancel(data.draw(st.sampled_from(self.here)))

    def _cancel(self, question: Question) -> None:
        question.cancelled = True
        self.here.remove(question)
        self.carry = [(None if job is question else job, a, n) for job, a, n in self.carry]  # type: ignore[misc]
        self.scheduler.cancel(question)
        self.scheduler.cancel(question)  # a second time does nothing

    @rule(seconds=st.floats(0, 5), leaver=st.one_of(st.none(), st.integers(0, 4)))
    def step(self, seconds: float, leaver: int | None) -> None:
        """One supervision step; the client of one of its rows may leave while it runs."""
        plan = self._planned()
        ages = [1 if row.source == FRESH else self.carry[row.source][2] + 1 for row in plan.rows]
        self.carry = [(r.job, r.attempt, age) for r, age in zip(plan.rows, ages, strict=True)]
        self.now_s += seconds
        if leaver is not None and leaver < len(plan.rows):
            self._cancel(plan.rows[leaver].job)
        outcomes = [
            StepOutcome(Verdict.solved if age >= row.job.needs else Verdict.wrong, 0.0)
            for row, age in zip(plan.rows, ages, strict=True)
        ]
        for departure in self.scheduler.settle(plan, outcomes, self.now_s):
            assert departure.row is not None
            assert plan.rows[departure.row].job is departure.job
            self._check_reason(departure, ages[departure.row])
            self._end(departure)
        late = [job for job, _, _ in self._rows_here() if job.deadline_s <= self.now_s]
        assert not late, "late in a slot"

    @rule()
    def fail(self) -> None:
        """The engine breaks in a step: its rows are lost, and nothing else is."""
        jobs = dict.fromkeys(row.job for row in self._planned().rows)
        lost = self.scheduler.reset()
        assert list(lost) == list(jobs)
        for question in lost:
            question.ends += 1
            self.here.remove(question)
        self.carry = []

    @rule(seconds=st.floats(0, 30))
    def drain(self, seconds: float) -> None:
        self.scheduler.limit_deadlines(self.now_s + seconds)
        for question in self.here:
            question.deadline_s = min(question.deadline_s, self.now_s + seconds)

    def _planned(self) -> Plan[Question]:
        before = {job for job, _, _ in self._rows_here()}
        further_before = self._further_rows
        plan = self.scheduler.plan(self.now_s)
        for departure in plan.expired:
            assert departure.finish.stopped_by is StoppedBy.deadline
            assert departure.job.deadline_s <= self.now_s
            self._end(departure)
        jobs = list(dict.fromkeys(row.job for row in plan.rows))
        late = [job for job in self.here if job not in jobs and job.deadline_s <= self.now_s]
        assert not late, "late in the queue"
        assert len(plan.rows) <= self.slots, "a slot taken twice"
        assert len(plan.rows) == self.slots or not self.scheduler.waiting, "an empty slot"
        self._check_attempts(plan)
        if self._further_rows > further_before:
            assert not self.scheduler.waiting, "further rows while others wait"
            assert len(plan.rows) <= self.parallel, "further rows that cost time"
        self._check_turns([job for job in jobs if job not in before], set(jobs))
        return plan

    @property
    def _further_rows(self) -> int:
        """Rows of jobs that have one already."""
        return self.scheduler.working - (len(self.here) - self.scheduler.waiting)

    def _check_attempts(self, plan: Plan[Question]) -> None:
        """Rows go on with their own state; each attempt begins once, and ends before it is over."""
        working = {(row.job, row.attempt) for row in plan.rows}
        assert len(working) == len(plan.rows)
        for row in plan.rows:
            if row.source != FRESH:
                job, attempt, _ = self.carry[row.source]
                assert (job, attempt) == (row.job, row.attempt), "the state of another row"
                continue
            assert (row.job, row.attempt) not in self.begun
            self.begun.add((row.job, row.attempt))
            over = {(row.job, attempt) for attempt in row.over}
            assert len(over) == len(row.over)
            assert over <= self.begun - self.told - working
            self.told |= over
        for job in {job for job, _ in working}:
            rows = [attempt for owner, attempt in working if owner is job]
            assert len(rows) == 1 or (job.number % 4 and job.number % 3)
            begun = {(job, attempt) for attempt in range(1, max(rows) + 1)}
            last = max(rows) == self.attempts  # what ends beside it is of no use to anybody
            assert last or begun <= self.told | working, "an attempt that nobody was told of"

    def _check_turns(self, came: list[Question], working: set[Question]) -> None:
        for question in came:
            first = [q for q in question.request.questions if q not in self.started]
            if question not in self.started:
                assert not [q for q in first if q.number < question.number and q in self.here]
            self.started.add(question)
        singles = [q for q in self.here if q not in working and len(q.request.questions) == 1]
        for single in singles:
            if single in self.started:  # it had its turn
                continue
            for question in came:
                assert question.request in single.request.may_go_first, "jumped the queue"
                assert question.request not in single.request.turns, "two turns of one request"
                single.request.turns.add(question.request)

    def _check_reason(self, departure: Departure[Question], age: int) -> None:
        solved = departure.finish.status is Status.solved
        assert solved == (age >= departure.job.needs)
        if departure.finish.stopped_by is StoppedBy.deadline:
            assert departure.job.deadline_s <= self.now_s
        if departure.finish.stopped_by is StoppedBy.max_steps:
            assert departure.spent.steps == self.max_steps * self.attempts
            assert departure.spent.attempts == self.attempts

    def _end(self, departure: Departure[Question]) -> None:
        question = departure.job
        assert not question.cancelled, "delivered to a client that had left"
        question.ends += 1
        self.here.remove(question)
        assert departure.arrived_s <= departure.left_s == self.now_s

    def _rows_here(self) -> list[tuple[Question, int, int]]:
        return [row for row in self.carry if row[0] in self.here]

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self._further_rows >= 0
        assert self._further_rows == 0 or self.parallel > 1
        assert self.scheduler.idle == (not self.here)
        assert self.scheduler.working <= self.slots
        assert self.scheduler.waiting <= QUEUE_LIMIT + self.slots

    def teardown(self) -> None:
        for _ in range(LONGEST_RUN):
            if self.scheduler.idle:
                break
            self.step(0.0, None)
        assert self.scheduler.idle, "it never ends"
        assert all(job.ends == (not job.cancelled) for job in self.known), "not ended exactly once"
