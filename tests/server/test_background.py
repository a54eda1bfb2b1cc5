"""Lines of batches stand behind everybody else, and nobody is refused for them."""

import pytest

from puzzles.kind import Verdict
from server.policy import Budget, Status, StepOutcome
from server.scheduler import QueueFullError, Scheduler

WRONG = StepOutcome(Verdict.wrong, -1.0)
SOLVED = StepOutcome(Verdict.solved, 1.0)
BUDGET = Budget(max_steps=2, attempts=100)


def scheduler_of(background: str = "", *, slots: int, queue_limit: int = 100) -> Scheduler[str]:
    """Background jobs are texts such as `a1`: a line of batch `a`."""
    scheduler: Scheduler[str] = Scheduler(slots=slots, queue_limit=queue_limit)
    for line in background.split():
        scheduler.submit(line, BUDGET, 0.0, line[0], background=True)
    return scheduler


def step(scheduler: Scheduler[str], outcome: StepOutcome = WRONG) -> str:
    """The rows of one supervision step, of which all get this outcome."""
    plan = scheduler.plan(0.0)
    scheduler.settle(plan, [outcome] * len(plan.rows), 0.0)
    return " ".join(row.job for row in plan.rows)


def test_who_comes_later_goes_before_every_line_that_waits() -> None:
    scheduler = scheduler_of("a0 a1 a2", slots=1)
    assert step(scheduler, SOLVED) == "a0"
    scheduler.submit("x", BUDGET, 0.0)
    scheduler.submit("y", BUDGET, 0.0)
    assert [step(scheduler, SOLVED) for _ in range(4)] == ["x", "y", "a1", "a2"]


def test_a_part_of_the_slots_stays_free_for_who_comes_next() -> None:
    scheduler = scheduler_of(" ".join(f"a{i}" for i in range(9)), slots=8)
    assert step(scheduler) == "a0 a1 a2 a3 a4 a5"
    scheduler.submit("x", BUDGET, 0.0)
    assert step(scheduler).endswith(" x")


def test_a_line_makes_way_when_its_attempt_ends_while_somebody_waits() -> None:
    scheduler = scheduler_of("a0", slots=1)
    assert step(scheduler) == "a0"
    scheduler.submit("x", BUDGET, 0.0)
    assert [step(scheduler), step(scheduler, SOLVED)] == ["a0", "x"]
    plan = scheduler.plan(0.0)
    assert [(row.job, row.attempt) for row in plan.rows] == [("a0", 2)]


def test_a_request_never_makes_way_for_lines() -> None:
    scheduler = scheduler_of("a0 a1", slots=2)
    for job in ("x", "y"):
        scheduler.submit(job, BUDGET, 0.0, "one request")
    assert [step(scheduler) for _ in range(6)] == ["x y"] * 6


def test_batches_take_turns() -> None:
    scheduler = scheduler_of("a0 a1 a2 b0 c0", slots=1)
    assert [step(scheduler, SOLVED) for _ in range(5)] == ["a0", "b0", "c0", "a1", "a2"]


def test_lines_take_no_room_from_requests_and_need_none() -> None:
    scheduler = scheduler_of(" ".join(f"a{i}" for i in range(50)), slots=1, queue_limit=2)
    assert (scheduler.room, scheduler.waiting, scheduler.background_waiting) == (2, 0, 50)
    scheduler.submit("x", BUDGET, 0.0)
    scheduler.submit("y", BUDGET, 0.0)
    with pytest.raises(QueueFullError):
        scheduler.check_room(1)
    scheduler.submit("a50", BUDGET, 0.0, "a", background=True)


def test_a_line_whose_deadline_passes_while_it_waits_is_answered() -> None:
    scheduler = scheduler_of(slots=1)
    late = Budget(2, 1, deadline_s=5.0)
    scheduler.submit("a0", late, 0.0, "a", background=True)
    (departure,) = scheduler.plan(5.0).expired
    assert (departure.job, departure.finish.status) == ("a0", Status.unsolved)
    assert scheduler.idle


def test_cancelled_lines_leave_nothing_behind_wherever_they_are() -> None:
    scheduler = scheduler_of("a0 a1", slots=1)
    step(scheduler)
    for line in ("a1", "a0"):
        scheduler.cancel(line)
    assert scheduler.idle
    assert (scheduler.background_waiting, scheduler.working) == (0, 0)


def test_all_lines_can_be_cleared_and_requests_stay() -> None:
    scheduler = scheduler_of("a0 a1 b0", slots=2)
    step(scheduler)
    scheduler.submit("x", BUDGET, 0.0)
    assert sorted(scheduler.clear_background()) == ["a0", "a1", "b0"]
    assert step(scheduler, SOLVED) == "x"
    assert scheduler.idle
