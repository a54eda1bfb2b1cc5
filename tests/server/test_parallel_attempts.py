"""A job's later attempts at once: who gets further rows, what they are told, when they go."""

from collections.abc import Callable

import pytest

from puzzles.kind import Verdict
from server.plan import FRESH, Departure, Plan
from server.policy import Budget, Status, StepOutcome, StoppedBy
from server.scheduler import Scheduler

WRONG = StepOutcome(Verdict.wrong, -1.0)
SOLVED = StepOutcome(Verdict.solved, 1.0)
SHORT = Budget(max_steps=2, attempts=9)


def scheduler_of(
    *jobs: str,
    slots: int = 8,
    parallel: int = 3,
    budget: Budget = SHORT,
    alone: bool = False,
    divisible: Callable[[str], bool] = lambda _: True,
) -> Scheduler[str]:
    scheduler: Scheduler[str] = Scheduler(
        slots=slots, queue_limit=9, parallel=parallel, divisible=divisible
    )
    for job in jobs:
        scheduler.submit(job, budget, 0.0, alone=alone)
    return scheduler


def layout(plan: Plan[str]) -> str:
    """Rows as `job attempt:source`, fresh ones as `job attempt:new`, with what is over."""
    return " ".join(
        f"{row.job}{row.attempt}:{'new' if row.source == FRESH else row.source}"
        + "".join(f"-{attempt}" for attempt in row.over)
        for row in plan.rows
    )


def step(
    scheduler: Scheduler[str], solved: str = "", now_s: float = 0.0
) -> tuple[str, list[Departure[str]]]:
    """Plan and settle once; the attempts that are named, as `a3`, are solved in this step."""
    plan = scheduler.plan(now_s)
    outcomes = [SOLVED if f"{row.job}{row.attempt}" in solved else WRONG for row in plan.rows]
    return layout(plan), scheduler.settle(plan, outcomes, now_s)


def test_a_job_gets_a_further_row_for_each_attempt_that_came_to_nothing() -> None:
    scheduler = scheduler_of("a", parallel=4)
    assert [step(scheduler)[0] for _ in range(7)] == [
        "a1:new",
        "a1:0",
        "a2:new-1 a3:new",
        "a2:0 a3:1",
        "a4:new-2-3 a5:new a6:new",
        "a4:0 a5:1 a6:2 a7:new",
        "a8:new-4-5-6 a9:new a7:3",
    ]


def test_no_more_rows_than_cost_nothing() -> None:
    scheduler = scheduler_of("a", "b", "c", parallel=4)
    rows = [step(scheduler)[0].count(":") for _ in range(4)]
    assert rows == [3, 3, 4, 4]


@pytest.mark.parametrize(
    "scheduler",
    [
        scheduler_of("a", parallel=1),
        scheduler_of("a", slots=1),
        scheduler_of("a", alone=True),
        scheduler_of("a", divisible=lambda _: False),
        scheduler_of("a", budget=Budget(max_steps=2, attempts=2)),
    ],
    ids=["nothing is free", "no slot", "watched", "indivisible", "last attempt"],
)
def test_a_job_that_cannot_be_divided_has_one_row(scheduler: Scheduler[str]) -> None:
    layouts = [step(scheduler)[0] for _ in range(4)]
    assert layouts == ["a1:new", "a1:0", "a2:new-1", "a2:0"]


def test_one_row_that_is_solved_ends_the_job() -> None:
    scheduler = scheduler_of("a")
    for _ in range(3):
        step(scheduler)
    rows, [departure] = step(scheduler, solved="a3")
    assert rows == "a2:0 a3:1"
    assert (departure.row, departure.finish.status) == (1, Status.solved)
    assert (departure.spent.attempts, departure.spent.steps) == (3, 2 + 2 + 2)
    assert scheduler.idle
    assert scheduler.working == 0


def test_a_job_is_given_up_with_the_last_of_its_attempts() -> None:
    scheduler = scheduler_of("a", budget=Budget(max_steps=2, attempts=4))
    rows, departures = zip(*(step(scheduler) for _ in range(6)), strict=True)
    assert rows[3:] == ("a2:0 a3:1", "a4:new-2-3", "a4:0")
    assert departures[:5] == ([],) * 5
    [departure] = departures[5]
    assert departure.finish.stopped_by is StoppedBy.max_steps
    assert (departure.spent.attempts, departure.spent.steps) == (4, 8)
    assert scheduler.working == 0


def test_further_rows_go_when_their_attempt_ends_and_somebody_waits() -> None:
    scheduler = scheduler_of("a", slots=2, parallel=2)
    for _ in range(3):
        step(scheduler)
    scheduler.submit("b", SHORT, 0.0)
    assert [step(scheduler)[0] for _ in range(3)] == [
        "a2:0 a3:1",
        "a4:new-2-3 b1:new",
        "a4:0 b1:1",
    ]


def test_further_rows_that_cost_something_go_when_their_attempt_ends() -> None:
    scheduler = scheduler_of("a", parallel=2)
    for _ in range(3):
        step(scheduler)
    scheduler.submit("b", Budget(max_steps=9, attempts=1), 0.0)
    assert [step(scheduler)[0] for _ in range(2)] == ["a2:0 a3:1 b1:new", "a4:new-2-3 b1:2"]


def test_what_ends_at_once_begins_no_more_attempts_than_the_budget_has() -> None:
    scheduler = scheduler_of("a", parallel=2, budget=Budget(max_steps=1, attempts=4))
    layouts, departures = zip(*(step(scheduler) for _ in range(3)), strict=True)
    assert layouts == ("a1:new", "a2:new-1 a3:new", "a4:new-2-3")
    assert departures[2][0].spent.steps == 4


def test_a_deadline_and_a_client_that_leaves_free_all_rows() -> None:
    scheduler = scheduler_of("a", budget=Budget(2, 9, deadline_s=5.0))
    for _ in range(3):
        step(scheduler)
    [departure] = step(scheduler, now_s=5.0)[1]
    assert departure.finish.stopped_by is StoppedBy.deadline
    assert scheduler.working == 0
    scheduler = scheduler_of("a")
    for _ in range(4):
        step(scheduler)
    scheduler.cancel("a")
    assert (scheduler.working, scheduler.idle) == (0, True)


def test_rows_of_a_batch_are_divided_too_and_make_way_for_requests() -> None:
    scheduler: Scheduler[str] = Scheduler(slots=4, queue_limit=9, parallel=3)
    scheduler.submit("a", SHORT, 0.0, background=True)
    for _ in range(3):
        step(scheduler)
    assert scheduler.working == 2
    for job in "bcd":
        scheduler.submit(job, Budget(max_steps=9, attempts=1), 0.0)
    assert step(scheduler)[0] == "a2:0 a3:1 b1:new c1:new"
    assert step(scheduler)[0] == "b1:2 c1:3 d1:new"
    assert (scheduler.working, scheduler.background_waiting) == (3, 1)
