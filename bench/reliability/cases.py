"""Many random cases: of the scheduler against its model, of the API against its own document."""

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bench.reliability.claims import Claim, Findings, exactly
from bench.reliability.scheduler_machine import SchedulerMachine


def try_scheduler(*, examples: int) -> Findings:
    """The scheduler's state machine; hypothesis says how to reproduce what it finds."""
    counted = 0

    class Counted(SchedulerMachine):
        def teardown(self) -> None:
            nonlocal counted
            super().teardown()
            counted += 1

    found = _unexpected(
        lambda: run_state_machine_as_test(
            Counted,
            settings=settings(
                max_examples=examples,
                stateful_step_count=30,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
    )
    return Findings(
        claims=[_enough(counted, examples), exactly("unexpected", found, "nothing")],
        facts={"examples": counted},
    )


def _enough(counted: int, examples: int) -> Claim:
    return Claim(
        text="random histories tried",
        measured=str(counted),
        promised=f"≥ {examples}",
        held=counted >= examples,
    )


def _unexpected(run: Callable[[], None]) -> str:
    """What went wrong first, in one line, or `nothing`."""
    try:
        run()
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "nothing"
