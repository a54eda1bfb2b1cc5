"""Slots that are measured at start-up, with an engine whose steps take foreseeable time."""

import pytest

from server.engine import Engine, StepAnswers, StepInputs
from server.tuning import MOST_SLOTS, STEP_SECONDS, Capacity, measured_capacity
from tests.server.tiny_bundle import FOUR


class TimedEngine(Engine):
    """A step takes `row_s` for every `lanes` rows, begun ones too; the clock is its own."""

    def __init__(self, row_s: float, lanes: int = 1) -> None:
        self.now_s = 0.0
        self.steps = 0
        self._row_s = row_s
        self._lanes = lanes

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
        self.now_s += self._row_s * -(-len(inputs.tokens) // self._lanes)
        return StepAnswers(inputs.tokens, inputs.noise[:, 0])


def capacity_of(engine: TimedEngine, at_least: int = 1) -> Capacity:
    return measured_capacity(engine, FOUR, at_least=at_least, clock=lambda: engine.now_s)


def slots_of(engine: TimedEngine, at_least: int = 1) -> int:
    return capacity_of(engine, at_least).slots


@pytest.mark.parametrize(("rows_in_time", "slots"), [(1.5, 1), (2.1, 2), (7.9, 4), (40, 32)])
def test_as_many_rows_as_a_step_has_time_for(rows_in_time: float, slots: int) -> None:
    assert slots_of(TimedEngine(STEP_SECONDS / rows_in_time)) == slots


def test_no_more_than_the_most() -> None:
    assert slots_of(TimedEngine(0.0)) == MOST_SLOTS


def test_every_thread_gets_a_row_however_slow_a_step_is() -> None:
    assert slots_of(TimedEngine(1.0), at_least=6) == 6


@pytest.mark.parametrize(("lanes", "parallel"), [(1, 1), (2, 2), (3, 2), (4, 4), (64, 64)])
@pytest.mark.parametrize("rows_in_time", [1.5, 40])
def test_rows_that_take_as_long_as_one_are_parallel(
    lanes: int, parallel: int, rows_in_time: float
) -> None:
    engine = TimedEngine(STEP_SECONDS / rows_in_time, lanes)
    assert capacity_of(engine).parallel == parallel


def test_an_engine_that_is_slow_from_the_second_row_on_is_not_asked_again() -> None:
    assert capacity_of(TimedEngine(1.0)) == Capacity(slots=1, parallel=1)


def test_measuring_leaves_no_carry_behind() -> None:
    engine = TimedEngine(STEP_SECONDS)
    slots_of(engine)
    assert engine.steps == 0
