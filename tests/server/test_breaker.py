"""When a lane is given up and when it is tried again."""

from server.breaker import FAILURES_IN_A_ROW, Breaker


def broken(*, at_s: float = 10.0) -> Breaker:
    breaker = Breaker(probe_seconds=2.0)
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed(at_s)
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_them_counts_anew() -> None:
    breaker = Breaker(probe_seconds=2.0)
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker.failed(0.0)
    breaker.succeeded()
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker.failed(0.0)
    assert not breaker.is_open
    breaker.failed(0.0)
    assert breaker.is_open


def test_the_next_probe_is_due_some_time_after_the_last_failure() -> None:
    breaker = broken(at_s=10.0)
    assert breaker.seconds_to_probe(11.5) == 0.5
    assert breaker.seconds_to_probe(12.0) == breaker.seconds_to_probe(99.0) == 0.0
    breaker.failed(20.0)
    assert breaker.seconds_to_probe(20.0) == 2.0


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = broken()
    breaker.succeeded()
    assert not breaker.is_open
    breaker.failed(30.0)
    assert not breaker.is_open
