"""Peers measured in turns, so that a busy minute of the machine hits all of them alike."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

ResultT = TypeVar("ResultT")
Clock = Callable[[], float]  # seconds


def interleaved(
    contenders: Mapping[str, Callable[[], ResultT]],
    *,
    rounds: int,
    on_run: Callable[[str, int], None] = lambda name, round_: None,  # noqa: ARG005
) -> dict[str, list[ResultT]]:
    """Run A B C, A B C, … and return every contender's results, a result per round.

    Warm-up is the caller's: what is handed in here counts. on_run(name, round) is told before each
    run; rounds count from 1.
    """
    results: dict[str, list[ResultT]] = {name: [] for name in contenders}
    for round_ in range(1, rounds + 1):
        for name, run in contenders.items():
            on_run(name, round_)
            results[name].append(run())
    return results


def calls_per_second(
    work: Callable[[], object], *, seconds: float, clock: Clock = time.perf_counter
) -> float:
    """How often `work` runs in a second: repeated until `seconds` are over, at least once."""
    begun, calls = clock(), 0
    while True:
        work()
        calls += 1
        elapsed = clock() - begun
        if elapsed >= seconds:
            return calls / elapsed
