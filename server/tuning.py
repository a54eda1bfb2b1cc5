"""How much an engine takes at once where the settings leave it open: measured at start-up."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from puzzles.kind import PuzzleKind
from server.engine import Engine, StepInputs
from server.plan import FRESH

# A step should be long against what surrounds it (about 0.1 ms), and short against what people
# notice: rows leave, and other puzzle sizes get their turn, between two steps only.
STEP_SECONDS = 0.020
MOST_SLOTS = 256
SAME_TIME = 1.3  # times as long as a step of one row, it is as long: cores are never quite alone
REPEATS = 3


class Capacity(NamedTuple):
    """slots: rows of a step at most; parallel: rows that it computes in the time of one."""

    slots: int
    parallel: int


def measured_capacity(
    engine: Engine,
    puzzle: PuzzleKind,
    *,
    at_least: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Capacity:
    """Slots: the power of two of rows, up to 256, whose step still ends within 20 ms.

    at_least: slots that are needed to give every thread work, however long they take.
    """

    def seconds(rows: int) -> float:
        return min(_timed_step(engine, puzzle, rows, clock) for _ in range(REPEATS))

    slots = parallel = 1
    one_s = seconds(1)
    while slots < MOST_SLOTS:
        taken_s = seconds(2 * slots)
        if slots == parallel and taken_s <= SAME_TIME * one_s:
            parallel = 2 * slots
        if taken_s > STEP_SECONDS:
            break
        slots *= 2
    engine.reset()
    return Capacity(max(slots, at_least), parallel)


def _timed_step(engine: Engine, puzzle: PuzzleKind, rows: int, clock: Callable[[], float]) -> float:
    spec = puzzle.spec
    empty = puzzle.encode(np.zeros((spec.height, spec.width), np.uint8))
    inputs = StepInputs(
        tokens=np.repeat(empty[np.newaxis], rows, 0),
        source=np.full(rows, FRESH, np.int64),
        noise=np.zeros((rows, engine.state_len), np.float32),
        task=np.zeros(rows, np.int64) if spec.uses_task else None,
    )
    begun_s = clock()
    engine.step(inputs)
    return clock() - begun_s
