"""Three ways to solve a list of puzzles with the same engine.

In flight, by the server's own scheduler and lane; and two static batchers as one would write them
around a model: all rows in step, a new batch when the old one is through.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from bench.engines import Place, Subject
from bench.tally import Stopwatch, Tally, TimedEngine
from puzzles.kind import Grid, Grids, PuzzleKind, Verdict
from puzzles.registry import by_name
from puzzles.restarts import Restart
from server.engine import Engine, StepAnswers, StepInputs
from server.lane import Job, Lane, SolveResult
from server.plan import FRESH
from server.policy import Budget, Finish, Spent, StepOutcome, decide
from server.scheduler import Scheduler
from server.tuning import measured_capacity
from training.evaluation_data import EvaluationData


@dataclass(frozen=True)
class Setup:
    """What all contenders share. slots: rows of a full batch."""

    engine: TimedEngine
    model: str
    puzzle: PuzzleKind
    restart: Restart
    slots: int


def setups_for(subject: Subject, engine: Engine, place: Place, slots: Sequence[int]) -> list[Setup]:
    """A setup per number of slots; one as the server measures it where none is given."""
    puzzle = by_name(subject.entry.spec.name)
    numbers = slots or (measured_capacity(engine, puzzle, at_least=place.threads).slots,)
    timed = TimedEngine(engine)
    manifest = subject.manifest
    return [Setup(timed, manifest.name, puzzle, manifest.restart, number) for number in numbers]


@dataclass(frozen=True)
class Answered:
    """How a puzzle ended: its last answer, or None where the server gives none."""

    answer: Grid | None
    verdict: Verdict | None
    steps: int


@final
class InFlight:
    """The server's lane without its thread: puzzles go in, each `advance` is one step."""

    def __init__(self, setup: Setup, budget: Budget, *, queue_limit: int) -> None:
        self._scheduler: Scheduler[Job] = Scheduler(slots=setup.slots, queue_limit=queue_limit)
        self._budget = budget
        self._lane = Lane(
            model=setup.model,
            puzzle=setup.puzzle,
            restart=setup.restart,
            engine=setup.engine,
            scheduler=self._scheduler,
        )

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing works."""
        return self._scheduler.idle

    def submit(self, question: Grid) -> Job:
        """Queue a question. Raises: QueueFullError."""
        now_s = time.monotonic()
        job = Job(self._lane, question, self._budget, now_s)
        self._scheduler.submit(job, self._budget, now_s)
        return job

    def advance(self) -> list[tuple[Job, SolveResult]]:
        """One supervision step of the rows in work; who is done after it."""
        plan = self._scheduler.plan(time.monotonic())
        report = self._lane.step(plan)
        departures = self._scheduler.settle(plan, report.outcomes, time.monotonic())
        return [(left.job, self._lane.result(left, report)) for left in departures]


def solve_in_flight(setup: Setup, data: EvaluationData, budget: Budget) -> Tally:
    """All puzzles wait from the beginning; a row that is done makes room for the next."""
    watch = Stopwatch(setup.engine)
    in_flight = InFlight(setup, budget, queue_limit=len(data))
    numbers = {in_flight.submit(question): i for i, question in enumerate(questions_of(data))}
    answered: dict[int, Answered] = {}
    watch.prepared()
    while not in_flight.idle:
        for job, result in in_flight.advance():
            steps = result.spent.steps
            answered[numbers[job]] = Answered(result.solution, result.verdict, steps)
    return _tally(watch, data, [answered[i] for i in range(len(data))])


def solve_static(setup: Setup, data: EvaluationData, max_steps: int, *, stops_early: bool) -> Tally:
    """Batches of `slots` puzzles, each of its rows in every step.

    stops_early: a batch ends when all of its rows have halted, and a row keeps the answer with
    which it did; else every row makes `max_steps` steps and gives its last answer.
    """
    watch = Stopwatch(setup.engine)
    tokens = setup.puzzle.encode_flat(data.questions)
    questions = questions_of(data)
    watch.prepared()
    answered: list[Answered] = []
    for first in range(0, len(data), setup.slots):
        part = slice(first, first + setup.slots)
        batch = StaticBatch(setup, tokens[part], questions[part])
        answered += batch.until_halted(max_steps) if stops_early else batch.fixed(max_steps)
    return _tally(watch, data, answered)


@final
class StaticBatch:
    """Puzzles that begin together and end together. tokens: (B, S); questions: (B, H, W)."""

    def __init__(self, setup: Setup, tokens: npt.NDArray[np.int32], questions: Grids) -> None:
        self._engine, self._puzzle = setup.engine, setup.puzzle
        self._tokens, self._questions = tokens, questions
        self._noise = np.zeros((len(tokens), setup.engine.state_len), np.float32)
        self._source = np.full(len(tokens), FRESH, np.int64)

    def fixed(self, max_steps: int) -> list[Answered]:
        """Every row makes all steps; the last answers are judged."""
        for _ in range(max_steps - 1):
            self._step()
        grids, verdicts = self._judged(self._step())
        return [
            Answered(grid, verdict, max_steps)
            for grid, verdict in zip(grids, verdicts, strict=True)
        ]

    def until_halted(self, max_steps: int) -> list[Answered]:
        """All answers are judged after every step; a row that has halted keeps its own."""
        answered: dict[int, Answered] = {}
        budget, spent = Budget(max_steps, attempts=1), Spent().after_restart()
        while len(answered) < len(self._tokens):
            stepped = self._step()
            spent = spent.after_step()
            judged = zip(*self._judged(stepped), stepped.q_halt.tolist(), strict=True)
            for row, (grid, verdict, q_halt) in enumerate(judged):
                if row in answered:
                    continue
                if isinstance(decide(StepOutcome(verdict, q_halt), spent, budget, 0.0), Finish):
                    answered[row] = Answered(grid, verdict, spent.steps)
        return [answered[row] for row in range(len(self._tokens))]

    def _step(self) -> StepAnswers:
        stepped = self._engine.step(StepInputs(self._tokens, self._source, self._noise))
        self._source = np.arange(len(self._tokens), dtype=np.int64)
        return stepped

    def _judged(self, stepped: StepAnswers) -> tuple[Grids, list[Verdict]]:
        grids = self._puzzle.decode_all(stepped.answer)
        return grids, self._puzzle.verify_all(self._questions, grids)


def questions_of(data: EvaluationData) -> Grids:
    """The questions as (N, H, W) grids."""
    spec = data.kind.spec
    return data.questions.reshape(-1, spec.height, spec.width)


def _tally(watch: Stopwatch, data: EvaluationData, answered: Sequence[Answered]) -> Tally:
    right = [
        one.answer is not None and np.array_equal(one.answer.ravel(), label)
        for one, label in zip(answered, data.answers, strict=True)
    ]
    return watch.stop(
        puzzles=len(data),
        verified=sum(one.verdict is Verdict.solved for one in answered),
        exact=sum(right),
        steps=sum(one.steps for one in answered),
    )
