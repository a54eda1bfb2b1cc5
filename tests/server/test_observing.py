"""What observers of jobs are told, and that nothing is made for jobs that have none."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from puzzles.kind import Grid, Verdict
from puzzles.restarts import Restart
from server.engine import StepAnswers
from server.lane import Job, Lane
from server.observing import SeenStep, confidence_of
from server.policy import Budget
from server.scheduler import Scheduler
from server.step_events import PuzzleEvents, changed_cells
from server.step_feed import CountedStep
from tests.server.test_lane import (
    OPEN,
    QUESTION,
    SEARCH,
    VIEWS,
    WRONG,
    DoubtfulEngine,
    RecordingEngine,
    StubbornEngine,
)
from tests.server.tiny_bundle import FOUR

NOISE = Restart(by="noise", noise_scale=0.5)


class Logits(np.ndarray[Any, Any]):
    """Notes which rows somebody picks of it."""

    picked: list[list[int]]

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):
            self.picked.append(key)
        return super().__getitem__(key)


class TellingEngine(RecordingEngine):
    """Answers with the question, and with logits that know who looks at them."""

    def __init__(self) -> None:
        super().__init__()
        self.picked: list[list[int]] = []

    def answer(self, tokens: npt.NDArray[np.int32]) -> StepAnswers:
        logits = np.zeros((len(tokens), 16, 4), np.float32).view(Logits)
        logits.picked = self.picked
        return StepAnswers(tokens, np.zeros(len(tokens), np.float32), logits)


def lane_of(engine: RecordingEngine, restart: Restart = NOISE) -> Lane:
    return Lane(
        model="told",
        puzzle=FOUR,
        restart=restart,
        engine=engine,
        scheduler=Scheduler(slots=8, queue_limit=8),
    )


def run(lane: Lane, budget: Budget, question: Grid, *observed: bool) -> list[list[SeenStep]]:
    """Run a job for each of `observed` to its end; what the observers of those were told."""
    seen: list[list[SeenStep]] = [[] for _ in observed]
    for steps, is_observed in zip(seen, observed, strict=True):
        job = Job(lane, question, budget, 0.0)
        job.observer = steps.append if is_observed else None
        lane.scheduler.submit(job, budget, 0.0)
    while not lane.scheduler.idle:
        plan = lane.scheduler.plan(0.0)
        lane.scheduler.settle(plan, lane.step(plan).outcomes, 0.0)
    return seen


def test_nothing_is_made_for_jobs_that_nobody_observes() -> None:
    engine = TellingEngine()
    run(lane_of(engine), Budget(3, 1), QUESTION, False, False)
    assert engine.picked == []


def test_only_the_rows_that_are_observed_are_looked_at() -> None:
    engine = TellingEngine()
    seen = run(lane_of(engine), Budget(2, 1), QUESTION, False, True, False)
    assert engine.picked == [[1], [1]]
    assert [len(steps) for steps in seen] == [0, 2, 0]


def test_a_step_is_seen_as_it_was_whatever_comes_after() -> None:
    [[first, second]] = run(lane_of(StubbornEngine(1.0986123)), Budget(2, 1), QUESTION, True)
    assert np.array_equal(first.answer, QUESTION)
    assert not np.shares_memory(first.answer, second.answer)
    assert (first.attempt, first.verdict) == (1, Verdict.wrong)
    assert first.halt_probability == pytest.approx(0.75)
    assert first.confidence is None, "this engine has no logits"


def test_confidence_is_the_softmax_at_its_largest() -> None:
    logits = np.array([[[0, 0], [math.log(3), 0], [1e4, -1e4], [np.nan, 0]]], np.float32)
    assert confidence_of(logits)[0].tolist() == pytest.approx([0.5, 0.75, 1.0, np.nan], nan_ok=True)


def told(lane: Lane, budget: Budget, question: Grid) -> list[Any]:
    """The step events of a job, made when they are seen."""
    job = Job(lane, question, budget, 0.0)
    events, made = PuzzleEvents(job), []
    job.observer = lambda seen: made.append(events.step(CountedStep(0, 1, 1, seen)).model_dump())
    lane.scheduler.submit(job, budget, 0.0)
    while not lane.scheduler.idle:
        plan = lane.scheduler.plan(0.0)
        lane.scheduler.settle(plan, lane.step(plan).outcomes, 0.0)
    return made


def test_the_guesses_of_an_attempt_are_told_as_assumed() -> None:
    lane = lane_of(DoubtfulEngine(WRONG, q_halt=-1.0), SEARCH)
    steps = told(lane, Budget(1, 3), OPEN)
    assert [step["assumed"] for step in steps] == [
        [],
        [{"row": 1, "column": 1, "value": 2}],
        [{"row": 1, "column": 1, "value": 1}],
    ]


class MarkingEngine(RecordingEngine):
    """Answers with the question, sure of its empty cells and of nothing else."""

    def answer(self, tokens: npt.NDArray[np.int32]) -> StepAnswers:
        logits = np.zeros((*tokens.shape, 4), np.float32)
        logits[tokens == FOUR.encode(np.zeros((4, 4), np.uint8))[0], 0] = 99
        return StepAnswers(tokens, np.zeros(len(tokens), np.float32), logits)


def test_what_a_view_says_of_its_cells_is_told_of_those_of_the_question() -> None:
    engine = MarkingEngine()
    steps = told(lane_of(engine, VIEWS), Budget(1, 6), QUESTION)
    assert len({inputs.tokens.tobytes() for inputs in engine.asked}) > 1
    for step in steps:
        assert step["confidence"] == np.where(QUESTION == 0, 1.0, 0.25).tolist()
        assert (step["grid"], step["assumed"]) == (QUESTION.tolist(), [])


def test_a_broken_networks_confidence_is_none() -> None:
    engine = DoubtfulEngine(WRONG, q_halt=float("nan"))
    engine._logits[3] = np.nan
    [step] = told(lane_of(engine), Budget(1, 1), OPEN)
    assert (step["confidence"], step["halt_probability"]) == (None, None)


@pytest.mark.parametrize(
    ("before", "grid", "changed"),
    [
        ([[1, 2]], [[1, 2]], []),
        ([[1, 2]], [[0, 2]], [(1, 1)]),
        ([[1]], [[1, 0], [0, 2]], [(1, 2), (2, 1), (2, 2)]),
        ([[1, 2], [3, 4]], [[1, 3]], [(1, 2)]),
        (np.zeros((0, 0)), [[5]], [(1, 1)]),
        ([[5]], np.zeros((0, 0)), []),
    ],
)
def test_changed_cells_are_those_of_the_grid_that_were_not_so(
    before: Any, grid: Any, changed: list[tuple[int, int]]
) -> None:
    assert changed_cells(np.array(before, np.uint8), np.array(grid, np.uint8)) == changed
