"""Who sits in which slot, step by step; jobs are letters, time is a number."""

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puzzles.kind import Verdict
from server.plan import FRESH, Departure, Plan
from server.policy import Budget, Status, StepOutcome, StoppedBy
from server.scheduler import QueueFullError, Scheduler

WRONG = StepOutcome(Verdict.wrong, -1.0)
SOLVED = StepOutcome(Verdict.solved, 1.0)
PATIENT = Budget(max_steps=64, attempts=16)


def scheduler_of(jobs: str, *, slots: int, budget: Budget = PATIENT) -> Scheduler[str]:
    scheduler: Scheduler[str] = Scheduler(slots=slots, queue_limit=100)
    for job in jobs:
        scheduler.submit(job, budget, now_s=0.0)
    return scheduler


def layout(plan: Plan[str]) -> str:
    """Rows as `job:source`, fresh ones as `job:new`."""
    return " ".join(
        f"{row.job}:{'new' if row.source == FRESH else row.source}" for row in plan.rows
    )


def step(
    scheduler: Scheduler[str], solved: str = "", now_s: float = 0.0
) -> tuple[str, list[Departure[str]]]:
    """Plan and settle once; the named jobs are solved in this supervision step."""
    plan = scheduler.plan(now_s)
    outcomes = [SOLVED if row.job in solved else WRONG for row in plan.rows]
    return layout(plan), scheduler.settle(plan, outcomes, now_s)


def test_a_halted_row_is_refilled_before_the_next_step() -> None:
    scheduler = scheduler_of("ab", slots=1)
    assert step(scheduler, solved="a")[0] == "a:new"
    assert step(scheduler)[0] == "b:new"


@pytest.mark.parametrize(
    ("solved_by_step", "layouts"),
    [
        # rows close up; each continues the row that it was
        (["a", "", ""], ["a:new b:new c:new", "b:1 c:2 d:new", "b:0 c:1 d:2"]),
        (["b", "", ""], ["a:new b:new c:new", "a:0 c:2 d:new", "a:0 c:1 d:2"]),
        (["abc", "", ""], ["a:new b:new c:new", "d:new e:new", "d:0 e:1"]),
        # slots left free when nobody waits are no rows: a plan is never padded
        (["ab", "cd", "e"], ["a:new b:new c:new", "c:2 d:new e:new", "e:2"]),
        (["abc", "de", ""], ["a:new b:new c:new", "d:new e:new", ""]),
    ],
)
def test_rows_are_compacted_and_slots_refilled(
    solved_by_step: list[str], layouts: list[str]
) -> None:
    scheduler = scheduler_of("abcde", slots=3)
    assert [step(scheduler, solved)[0] for solved in solved_by_step] == layouts


def test_a_restarted_row_keeps_its_slot_and_starts_anew() -> None:
    scheduler = scheduler_of("abc", slots=2, budget=Budget(max_steps=2, attempts=2))
    layouts = [step(scheduler)[0] for _ in range(5)]
    assert layouts == ["a:new b:new", "a:0 b:1", "a:new b:new", "a:0 b:1", "c:new"]


def test_attempts_are_counted_from_one() -> None:
    scheduler = scheduler_of("a", slots=1, budget=Budget(max_steps=1, attempts=3))
    attempts = []
    for _ in range(3):
        plan = scheduler.plan(0.0)
        attempts += [row.attempt for row in plan.rows]
        departures = scheduler.settle(plan, [WRONG], 0.0)
    assert attempts == [1, 2, 3]
    assert departures[0].finish.stopped_by is StoppedBy.max_steps
    assert (departures[0].spent.steps, departures[0].spent.attempts) == (3, 3)


def test_a_departure_says_where_the_time_went_and_which_row_it_was() -> None:
    scheduler = scheduler_of("ab", slots=1)
    step(scheduler, solved="a", now_s=5.0)
    plan = scheduler.plan(7.0)
    (departure,) = scheduler.settle(plan, [SOLVED], 11.0)
    assert (departure.arrived_s, departure.started_s, departure.left_s) == (0.0, 7.0, 11.0)
    assert (departure.job, departure.row, departure.spent.steps) == ("b", 0, 1)


def test_a_job_that_waits_past_its_deadline_leaves_without_a_step() -> None:
    scheduler = scheduler_of("a", slots=1)
    scheduler.submit("b", Budget(64, 16, deadline_s=3.0), now_s=1.0)
    assert scheduler.plan(2.9).expired == ()
    (departure,) = scheduler.plan(3.0).expired
    assert (departure.job, departure.spent.steps, departure.spent.attempts) == ("b", 0, 0)
    assert departure.finish.stopped_by is StoppedBy.deadline
    assert departure.started_s is None
    assert scheduler.waiting == 0


def test_a_working_row_leaves_after_the_step_in_which_its_deadline_passed() -> None:
    scheduler = scheduler_of("a", slots=1, budget=Budget(64, 16, deadline_s=3.0))
    assert step(scheduler, now_s=2.0)[1] == []
    (departure,) = step(scheduler, now_s=3.5)[1]
    assert (departure.finish.status, departure.spent.steps) == (Status.unsolved, 2)
    assert departure.finish.stopped_by is StoppedBy.deadline


def test_limiting_deadlines_reaches_waiting_and_working_jobs_and_never_extends() -> None:
    scheduler = scheduler_of("a", slots=1, budget=Budget(64, 16, deadline_s=4.0))
    scheduler.submit("b", PATIENT, now_s=0.0)
    step(scheduler, now_s=1.0)
    scheduler.limit_deadlines(9.0)
    assert [d.job for d in step(scheduler, now_s=4.0)[1]] == ["a"]
    assert step(scheduler, now_s=8.9)[1] == []
    assert [d.job for d in step(scheduler, now_s=9.0)[1]] == ["b"]


def test_a_cancelled_row_frees_its_slot_for_the_next_step() -> None:
    scheduler = scheduler_of("abc", slots=2)
    step(scheduler)
    scheduler.cancel("a")
    assert step(scheduler)[0] == "b:1 c:new"


def test_a_job_cancelled_during_a_step_is_not_delivered() -> None:
    scheduler = scheduler_of("ab", slots=2)
    plan = scheduler.plan(0.0)
    scheduler.cancel("a")
    departures = scheduler.settle(plan, [SOLVED, SOLVED], 0.0)
    assert [departure.job for departure in departures] == ["b"]


def test_a_cancelled_waiting_job_never_gets_a_slot() -> None:
    scheduler = scheduler_of("abc", slots=1)
    scheduler.cancel("b")
    step(scheduler, solved="a")
    assert step(scheduler)[0] == "c:new"


def test_a_full_queue_refuses_and_slots_do_not_count_as_queue() -> None:
    scheduler: Scheduler[str] = Scheduler(slots=1, queue_limit=2)
    scheduler.submit("a", PATIENT, 0.0)
    scheduler.plan(0.0)
    scheduler.submit("b", PATIENT, 0.0)
    scheduler.submit("c", PATIENT, 0.0)
    with pytest.raises(QueueFullError):
        scheduler.submit("d", PATIENT, 0.0)
    assert (scheduler.working, scheduler.waiting) == (1, 2)


def overloaded(*, seconds_per_step: float) -> Scheduler[int]:
    """Two slots that each solve a job per step, and a full queue of four, for 100 seconds."""
    scheduler: Scheduler[int] = Scheduler(slots=2, queue_limit=4)
    now_s, jobs = 0.0, itertools.count()
    while now_s < 100:
        while scheduler.waiting < 4:
            scheduler.submit(next(jobs), PATIENT, now_s)
        plan = scheduler.plan(now_s)
        now_s += seconds_per_step
        scheduler.settle(plan, [SOLVED] * len(plan.rows), now_s)
    while scheduler.waiting < 4:
        scheduler.submit(next(jobs), PATIENT, now_s)
    return scheduler


@pytest.mark.parametrize("seconds_per_step", [0.01, 0.5, 3.0])
def test_who_waits_as_long_as_told_finds_the_queue_empty(seconds_per_step: float) -> None:
    scheduler = overloaded(seconds_per_step=seconds_per_step)
    with pytest.raises(QueueFullError) as caught:
        scheduler.check_room(1)
    assert caught.value.retry_after_s == pytest.approx(2 * seconds_per_step, rel=0.01)
    now_s = 1000.0
    for _ in range(2):
        plan = scheduler.plan(now_s)
        now_s += seconds_per_step
        scheduler.settle(plan, [SOLVED] * len(plan.rows), now_s)
    scheduler.check_room(4)


def test_a_standstill_does_not_send_anybody_away_for_ever() -> None:
    scheduler = overloaded(seconds_per_step=1e6)
    with pytest.raises(QueueFullError) as caught:
        scheduler.check_room(1)
    assert caught.value.retry_after_s == 60.0


def test_a_reset_empties_the_slots_and_keeps_the_queue() -> None:
    scheduler = scheduler_of("abc", slots=2)
    scheduler.plan(0.0)
    assert scheduler.reset() == ("a", "b")
    assert step(scheduler)[0] == "c:new"


def test_clearing_returns_every_job() -> None:
    scheduler = scheduler_of("abc", slots=2)
    scheduler.plan(0.0)
    assert scheduler.clear() == ("a", "b", "c")
    assert scheduler.idle


@dataclass(frozen=True)
class Question:
    """A job of the property below: solved in this many supervision steps of an attempt."""

    number: int
    needs: int


@settings(deadline=None, derandomize=True)
@given(
    needs=st.lists(st.integers(1, 9), max_size=30),
    slots=st.integers(1, 5),
    arrivals=st.lists(st.integers(0, 4), min_size=1, max_size=20),
)
def test_every_job_departs_once_and_no_row_ever_continues_another_jobs_state(
    needs: list[int], slots: int, arrivals: list[int]
) -> None:
    scheduler: Scheduler[Question] = Scheduler(slots=slots, queue_limit=100)
    budget = Budget(max_steps=5, attempts=2)
    coming = [Question(number, need) for number, need in enumerate(needs)]
    departed: list[Question] = []
    carry: list[tuple[Question, int]] = []  # whose state each row holds, and its age in steps
    for tick in range(1000):
        for _ in range(min(len(coming), arrivals[tick % len(arrivals)] if tick < 50 else 99)):
            scheduler.submit(coming.pop(0), budget, float(tick))
        plan = scheduler.plan(float(tick))
        assert len(plan.rows) <= slots
        assert len(plan.rows) == slots or scheduler.waiting == 0
        ages = [0 if row.source == FRESH else carry[row.source][1] for row in plan.rows]
        owners = [row.job if row.source == FRESH else carry[row.source][0] for row in plan.rows]
        assert owners == [row.job for row in plan.rows]
        carry = [(row.job, age + 1) for row, age in zip(plan.rows, ages, strict=True)]
        outcomes = [SOLVED if age == job.needs else WRONG for job, age in carry]
        for departure in scheduler.settle(plan, outcomes, float(tick)):
            departed.append(departure.job)
            assert departure.spent.steps == (
                departure.job.needs if departure.job.needs <= budget.max_steps else 10
            )
        if not coming and scheduler.idle:
            break
    assert sorted(job.number for job in departed) == list(range(len(needs)))
