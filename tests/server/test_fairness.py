"""Requests take turns: what a big one may do to the others, case by case."""

import pytest

from puzzles.kind import Verdict
from server.fair_queue import STALE_AT_LEAST, FairQueue
from server.plan import Departure
from server.policy import Budget, StepOutcome
from server.scheduler import Scheduler

WRONG = StepOutcome(Verdict.wrong, -1.0)
SOLVED = StepOutcome(Verdict.solved, 1.0)
PATIENT = Budget(max_steps=4, attempts=100)


def scheduler_of(*requests: str, slots: int, budget: Budget = PATIENT) -> Scheduler[str]:
    """Jobs are texts such as `a1`: the second job of request `a`."""
    scheduler: Scheduler[str] = Scheduler(slots=slots, queue_limit=100_000)
    for request in requests:
        add(scheduler, request, budget)
    return scheduler


def add(scheduler: Scheduler[str], jobs: str, budget: Budget = PATIENT) -> None:
    for job in jobs.split():
        scheduler.submit(job, budget, now_s=0.0, request=job[0])


def step(scheduler: Scheduler[str], outcome: StepOutcome) -> str:
    """The rows of one supervision step, of which all get this outcome."""
    plan = scheduler.plan(0.0)
    scheduler.settle(plan, [outcome] * len(plan.rows), 0.0)
    return " ".join(row.job for row in plan.rows)


@pytest.mark.parametrize(
    ("requests", "order"),
    [
        (["a0", "b0", "c0"], "a0 b0 c0"),
        (["a0 a1 a2", "b0"], "a0 b0 a1 a2"),
        (["a0 a1 a2 a3", "b0 b1", "c0"], "a0 b0 c0 a1 b1 a2 a3"),
        (["a0", "b0 b1 b2", "c0", "d0 d1"], "a0 b0 c0 d0 b1 d1 b2"),
    ],
)
def test_requests_take_turns_and_singles_keep_the_order_of_arrival(
    requests: list[str], order: str
) -> None:
    scheduler = scheduler_of(*requests, slots=1)
    assert " ".join(step(scheduler, SOLVED) for _ in order.split()) == order


@pytest.mark.parametrize("batches", [1, 3, 9])
def test_a_single_request_waits_for_one_puzzle_of_each_request_before_it(batches: int) -> None:
    big = [" ".join(f"{name}{i}" for i in range(500)) for name in "abcdefghi"[:batches]]
    scheduler = scheduler_of(*big, slots=1)
    for _ in range(50):
        step(scheduler, SOLVED)
    add(scheduler, "z0")
    add(scheduler, " ".join(f"y{i}" for i in range(500)))  # who comes later is no hindrance
    rows = [step(scheduler, SOLVED) for _ in range(batches + 1)]
    assert rows.index("z0") == batches


def test_a_hard_batch_in_every_slot_lets_a_single_request_in_when_attempts_end() -> None:
    scheduler = scheduler_of("a0 a1 a2 a3", slots=2)
    assert step(scheduler, WRONG) == "a0 a1"
    add(scheduler, "z0")
    assert [step(scheduler, WRONG) for _ in range(3)] == ["a0 a1"] * 3
    assert [step(scheduler, WRONG) for _ in range(4)] == ["a1 a2"] * 4  # a's turn came before z's
    assert step(scheduler, WRONG) == "a2 z0"


def test_jobs_that_made_way_take_up_their_next_attempt_later() -> None:
    scheduler = scheduler_of("a0 a1", slots=2, budget=Budget(max_steps=1, attempts=3))
    assert step(scheduler, WRONG) == "a0 a1"
    add(scheduler, "z0", Budget(max_steps=1, attempts=1))
    attempts: dict[str, list[int]] = {"a0": [], "a1": [], "z0": []}
    departures: list[Departure[str]] = []
    while not scheduler.idle:
        plan = scheduler.plan(0.0)
        for row in plan.rows:
            attempts[row.job].append(row.attempt)
        departures += scheduler.settle(plan, [WRONG] * len(plan.rows), 0.0)
    assert attempts == {"a0": [2, 3], "a1": [2, 3], "z0": [1]}
    assert {d.job: d.spent.steps for d in departures} == {"a0": 3, "a1": 3, "z0": 1}


def test_a_request_with_one_slot_keeps_it_through_all_its_attempts() -> None:
    scheduler = scheduler_of("a0", "b0", "c0", slots=2, budget=Budget(max_steps=1, attempts=3))
    assert [step(scheduler, WRONG) for _ in range(4)] == ["a0 b0", "a0 b0", "a0 b0", "c0"]


def test_a_batch_alone_keeps_its_slots() -> None:
    scheduler = scheduler_of("a0 a1 a2", slots=2, budget=Budget(max_steps=1, attempts=2))
    assert [step(scheduler, WRONG) for _ in range(3)] == ["a0 a1", "a0 a1", "a2"]


def test_a_deadline_reaches_a_job_that_made_way() -> None:
    scheduler = scheduler_of("a0 a1", slots=2, budget=Budget(1, 9, deadline_s=5.0))
    scheduler.plan(0.0)
    add(scheduler, "z0")
    assert step(scheduler, WRONG) == "a0 a1"
    assert step(scheduler, WRONG) == "a1 z0"
    (departure,) = scheduler.plan(5.0).expired
    assert (departure.job, departure.spent.attempts, departure.started_s) == ("a0", 1, 0.0)


@pytest.fixture
def queue() -> FairQueue[int]:
    return FairQueue()


def test_late_jobs_leave_in_the_order_of_their_deadlines(queue: FairQueue[int]) -> None:
    for job, deadline_s in enumerate([5.0, 2.0, 9.0, 2.5]):
        queue.push(job, request="r", deadline_s=deadline_s)
    assert queue.pop_late(1.9) == []
    assert queue.pop_late(5.0) == [1, 3, 0]
    assert list(queue) == [2]


def test_what_was_cancelled_or_taken_leaves_no_deadline_behind(queue: FairQueue[int]) -> None:
    for job in range(20_000):
        queue.push(job, request=job % 7, deadline_s=1e6 + job)
        if job >= 20:
            queue.remove(job) if job % 2 else queue.pop()
    assert len(queue) == 20
    assert queue.deadlines_kept <= STALE_AT_LEAST + 2 * len(queue)
