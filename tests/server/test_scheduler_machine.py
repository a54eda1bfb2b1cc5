"""The scheduler under random arrivals, halts, cancels, failures, deadlines and drains.

`python -m bench.reliability scheduler` runs the same machine for 10,000 examples.
"""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from bench.reliability.scheduler_machine import SchedulerMachine


def test_every_job_ends_once_no_slot_leaks_and_requests_take_turns() -> None:
    run_state_machine_as_test(
        SchedulerMachine,
        settings=settings(
            max_examples=150, stateful_step_count=30, deadline=None, derandomize=True, database=None
        ),
    )
