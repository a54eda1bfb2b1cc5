"""Turns and time, with a clock that a test moves."""

from bench.rounds import calls_per_second, interleaved


def test_contenders_take_turns_and_keep_the_results_of_every_round() -> None:
    ran: list[str] = []

    def run(name: str) -> int:
        ran.append(name)
        return len(ran)

    results = interleaved({name: lambda name=name: run(name) for name in "ABC"}, rounds=2)
    assert ran == ["A", "B", "C", "A", "B", "C"]
    assert results == {"A": [1, 4], "B": [2, 5], "C": [3, 6]}


def test_each_run_is_told_with_its_round_before_it_begins() -> None:
    told: list[tuple[str, int]] = []
    seen: list[int] = []
    contenders = {"A": lambda: seen.append(len(told)), "B": lambda: seen.append(len(told))}
    interleaved(contenders, rounds=2, on_run=lambda name, round_: told.append((name, round_)))
    assert told == [("A", 1), ("B", 1), ("A", 2), ("B", 2)]
    assert seen == [1, 2, 3, 4]


def test_work_is_repeated_until_the_time_is_over() -> None:
    now = 0.0

    def work() -> None:
        nonlocal now
        now += 0.4

    assert calls_per_second(work, seconds=1.0, clock=lambda: now) == 3 / 1.2000000000000002


def test_work_that_takes_longer_than_the_round_runs_once() -> None:
    now, calls = 0.0, 0

    def work() -> None:
        nonlocal now, calls
        now, calls = now + 5.0, calls + 1

    assert calls_per_second(work, seconds=1.0, clock=lambda: now) == 0.2
    assert calls == 1
