"""Slots that are measured at start-up, with an engine whose steps take foreseeable time."""

import pytest

from server.engine import Engine, StepAnswers, StepInputs
from server.tuning import MOST_SLOTS, STEP_SECONDS, measured_slots
from tests.server.tiny_bundle import FOUR


class TimedEngine(Engine):
    """A step takes `row_s` per row; the clock is its own."""

    def __init__(self, row_s: float) -> None:
        self.now_s = 0.0
        self.steps = 0
        self._row_s = row_s

    @property
    def runtime(self) -> str:
        return "timed"

    @property
    def state_len(self) -> int:
        return 64

    def reset(self) -> None:
        self.steps = 0

    def step(self, inputs: StepInputs) -> StepAnswers:
        self.steps += 1
        self.now_s += self._row_s * len(inputs.tokens)
        return StepAnswers(inputs.tokens, inputs.noise[:, 0])


def slots_of(engine: TimedEngine, at_least: int = 1) -> int:
    return measured_slots(engine, FOUR, at_least=at_least, clock=lambda: engine.now_s)


@pytest.mark.parametrize(("rows_in_time", "slots"), [(1.5, 1), (2.0, 2), (7.9, 4), (40, 32)])
def test_as_many_rows_as_a_step_has_time_for(rows_in_time: float, slots: int) -> None:
    assert slots_of(TimedEngine(STEP_SECONDS / rows_in_time)) == slots


def test_no_more_than_the_most() -> None:
    assert slots_of(TimedEngine(0.0)) == MOST_SLOTS


def test_every_thread_gets_a_row_however_slow_a_step_is() -> None:
    assert slots_of(TimedEngine(1.0), at_least=6) == 6


def test_measuring_leaves_no_carry_behind() -> None:
    engine = TimedEngine(STEP_SECONDS)
    slots_of(engine)
    assert engine.steps == 0
