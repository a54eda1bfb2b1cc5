"""How many slots a puzzle size gets where the settings leave it open: measured at start-up."""

import time
from collections.abc import Callable

import numpy as np

from puzzles.kind import PuzzleKind
from server.engine import Engine, StepInputs
from server.scheduler import FRESH

# A step should be long against what surrounds it (about 0.1 ms), and short against what people
# notice: rows leave, and other puzzle sizes get their turn, between two steps only.
STEP_SECONDS = 0.020
MOST_SLOTS = 256
REPEATS = 3


def measured_slots(
    engine: Engine,
    puzzle: PuzzleKind,
    *,
    at_least: int,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """The power of two of rows, up to 256, whose step still ends within 20 ms.

    at_least: rows that are needed to give every thread work, however long they take.
    """
    slots = 1
    while slots < MOST_SLOTS:
        taken_s = min(_timed_step(engine, puzzle, 2 * slots, clock) for _ in range(REPEATS))
        if taken_s > STEP_SECONDS:
            break
        slots *= 2
    engine.reset()
    return max(slots, at_least)


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
