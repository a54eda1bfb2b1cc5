"""What tells one attempt from the next: start noise, another view of the question, or guesses."""

from abc import abstractmethod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from puzzles.kind import Grid, Tokens, Verdict
from puzzles.restarts import Restart
from server.engine import Engine, StepAnswers, StepInputs
from server.lane import Job, Lane, SolveResult
from server.loading import load_solver
from server.plan import FRESH
from server.policy import Budget
from server.scheduler import Scheduler
from server.schemas import SolveRequest
from server.settings import Settings
from tests.server.tiny_bundle import FOUR, HARD, four_solutions, with_empty, write_bundle


class RecordingEngine(Engine):
    """Keeps what it was asked; what it answers is up to the kind of it."""

    def __init__(self) -> None:
        self.asked: list[StepInputs] = []

    @property
    def runtime(self) -> str:
        return "recording"

    @property
    def state_len(self) -> int:
        return 16

    def reset(self) -> None:
        self.asked.clear()

    def step(self, inputs: StepInputs) -> StepAnswers:
        self.asked.append(inputs)
        return self.answer(inputs.tokens)

    @abstractmethod
    def answer(self, tokens: npt.NDArray[np.int32]) -> StepAnswers:
        """tokens: (B, S)."""


class StubbornEngine(RecordingEngine):
    """Returns the question, with one logit for all."""

    def __init__(self, q_halt: float = 0.0) -> None:
        super().__init__()
        self.q_halt = q_halt

    def answer(self, tokens: npt.NDArray[np.int32]) -> StepAnswers:
        return StepAnswers(tokens, np.full(len(tokens), self.q_halt, np.float32))


class ViewSolver(RecordingEngine):
    """Solves any question but one, so that only another view of it helps."""

    def __init__(self, refused: Grid) -> None:
        super().__init__()
        self._refused = FOUR.encode(refused)

    def answer(self, tokens: npt.NDArray[np.int32]) -> StepAnswers:
        answer = np.stack([self._solve(row) for row in tokens])
        return StepAnswers(answer, np.zeros(len(answer), np.float32))

    def _solve(self, tokens: Tokens) -> Tokens:
        if np.array_equal(tokens, self._refused):
            return tokens
        fitting = (
            grid
            for grid in four_solutions()
            if FOUR.verify(FOUR.decode(tokens), grid) is Verdict.solved
        )
        return FOUR.encode(next(fitting))


def run(
    restart: Restart,
    budget: Budget,
    *questions: Grid,
    engine: RecordingEngine | None = None,
    parallel: int = 1,
) -> tuple[list[StepInputs], list[SolveResult]]:
    """Run a lane to the end; what its engine saw, and the results."""
    engine = engine or StubbornEngine()
    lane = Lane(
        model="stubborn",
        puzzle=FOUR,
        restart=restart,
        engine=engine,
        scheduler=Scheduler(slots=8, queue_limit=8, parallel=parallel, divisible=Job.may_divide),
    )
    for question in questions:
        lane.scheduler.submit(Job(lane, question, budget, 0.0), budget, 0.0)
    results = []
    while not lane.scheduler.idle:
        plan = lane.scheduler.plan(0.0)
        report = lane.step(plan)
        departures = lane.scheduler.settle(plan, report.outcomes, 0.0)
        results += [lane.result(departure, report) for departure in departures]
    return engine.asked, results


QUESTION = with_empty(four_solutions()[7], 6)
NOISE = Restart(by="noise", noise_scale=0.5)
VIEWS = Restart(by="views")


def test_the_first_attempt_starts_without_noise_and_every_other_with_its_own() -> None:
    asked, _ = run(NOISE, Budget(max_steps=2, attempts=3), QUESTION)
    assert [inputs.source.tolist() for inputs in asked] == [[FRESH], [0]] * 3
    assert not asked[0].noise.any()
    assert not asked[1].noise.any()
    assert not asked[3].noise.any()
    assert asked[2].noise.any()
    assert not np.array_equal(asked[2].noise, asked[4].noise)
    assert all(inputs.tokens.tolist() == asked[0].tokens.tolist() for inputs in asked)


def test_noise_has_the_scale_of_the_manifest() -> None:
    budget = Budget(max_steps=1, attempts=200)
    asked, _ = run(NOISE, budget, QUESTION)
    drawn = np.concatenate([inputs.noise.ravel() for inputs in asked[1:]])
    assert drawn.std() == pytest.approx(0.5, rel=0.05)
    assert drawn.mean() == pytest.approx(0.0, abs=0.05)


def test_an_attempts_noise_does_not_depend_on_who_else_is_there() -> None:
    budget = Budget(max_steps=1, attempts=2)
    alone, _ = run(NOISE, budget, QUESTION)
    together, _ = run(NOISE, budget, with_empty(four_solutions()[1], 3), QUESTION)
    assert np.array_equal(alone[1].noise[0], together[1].noise[1])


def test_restarts_by_view_ask_the_question_differently_and_without_noise() -> None:
    asked, _ = run(VIEWS, Budget(max_steps=1, attempts=4), QUESTION)
    seen = [FOUR.decode(inputs.tokens[0]) for inputs in asked]
    assert np.array_equal(seen[0], QUESTION)
    assert len({grid.tobytes() for grid in seen}) > 1
    assert all((grid == 0).sum() == 6 for grid in seen)
    assert not any(inputs.noise.any() for inputs in asked)


class DoubtfulEngine(RecordingEngine):
    """Answers every question with the same grid, in two minds about its first cell."""

    def __init__(self, grid: Grid, q_halt: float) -> None:
        super().__init__()
        self._answer, self._q_halt = FOUR.encode(grid), q_halt
        self._logits = np.eye(4, dtype=np.float32)[grid.ravel() - 1] * 20
        self._logits[0] = 0, 0.1, -9, -9

    def answer(self, tokens: npt.NDArray[np.int32]) -> StepAnswers:
        rows = len(tokens)
        return StepAnswers(
            np.tile(self._answer, (rows, 1)),
            np.full(rows, self._q_halt, np.float32),
            np.tile(self._logits, (rows, 1, 1)),
        )


SEARCH = Restart(by="search", noise_scale=0.5, refuted_q=-4.0)
WRONG = four_solutions()[9]
OPEN: Grid = np.zeros((4, 4), np.uint8)  # all but empty, and WRONG is no answer to it
OPEN[3, 3] = WRONG[3, 3] % 4 + 1


def test_a_search_asks_with_both_symbols_of_the_cell_in_doubt() -> None:
    engine = DoubtfulEngine(WRONG, q_halt=-1.0)
    asked, _ = run(SEARCH, Budget(max_steps=2, attempts=3), OPEN, engine=engine)
    seen = [FOUR.decode(inputs.tokens[0]) for inputs in asked]
    assert [int(np.count_nonzero(grid)) for grid in seen] == [1, 1, 2, 2, 2, 2]
    assert [int(grid[0, 0]) for grid in seen] == [0, 0, 2, 2, 1, 1]


def test_a_search_asks_several_questions_at_once_where_rows_cost_nothing() -> None:
    engine = DoubtfulEngine(WRONG, q_halt=-1.0)
    asked, (result,) = run(SEARCH, Budget(2, attempts=4), OPEN, engine=engine, parallel=4)
    seen = [[int(FOUR.decode(tokens)[0, 0]) for tokens in inputs.tokens] for inputs in asked]
    # The first attempt ends, its likelier symbol is asked, the other one a step later.
    assert seen[:4] == [[0], [0], [2], [2, 1]]
    assert [inputs.source.tolist() for inputs in asked[:4]] == [[FRESH], [0], [FRESH], [0, FRESH]]
    assert not np.array_equal(asked[3].noise[1], asked[2].noise[0])
    assert (result.spent.attempts, result.spent.steps) == (4, 8)


def test_a_refuted_attempt_ends_at_once_but_the_first() -> None:
    engine = DoubtfulEngine(WRONG, q_halt=-5.0)
    asked, (result,) = run(SEARCH, Budget(max_steps=3, attempts=3), OPEN, engine=engine)
    seen = [int(FOUR.decode(inputs.tokens[0])[0, 0]) for inputs in asked]
    assert seen == [0, 0, 0, 2, 1]
    assert (result.spent.attempts, result.spent.steps) == (3, 5)


def test_a_solution_of_a_wrongly_guessed_question_is_not_called_solved() -> None:
    engine = DoubtfulEngine(WRONG, q_halt=-1.0)
    _, (result,) = run(SEARCH, Budget(2, 4), OPEN, engine=engine)
    assert (result.solution, result.verdict) == (None, Verdict.wrong)


def test_answers_to_a_view_are_brought_back_before_they_are_verified() -> None:
    _, (result,) = run(
        VIEWS, Budget(max_steps=1, attempts=9), QUESTION, engine=ViewSolver(QUESTION)
    )
    assert result.solution is not None
    assert result.spent.attempts > 1
    assert FOUR.verify(QUESTION, result.solution) is Verdict.solved


def test_a_restart_by_noise_solves_what_the_first_attempt_cannot(tmp_path: Path) -> None:
    write_bundle(tmp_path / "noise", [FOUR])
    settings = Settings(bundles=(tmp_path / "noise",), threads=1, max_steps=20, parallel_attempts=1)
    question = with_empty(four_solutions()[200], HARD + 1)
    with load_solver(settings) as solver:
        job = solver.prepare(SolveRequest(kind="sudoku", grid=question.tolist()), solver.clock())
        solver.submit([job])
        result = job.future.result(10)
    assert (result.spent.attempts, result.spent.steps) == (2, 20 + HARD + 1)
    assert result.solution is not None
    assert FOUR.verify(question, result.solution) is Verdict.solved


@pytest.mark.parametrize(
    ("logit", "probability"),
    [(0.0, 0.5), (1e4, 1.0), (-1e4, 0.0), (1.0986123, 0.75), (float("nan"), None)],
)
def test_the_halt_probability_is_safe_for_any_logit(
    logit: float, probability: float | None
) -> None:
    _, (result,) = run(
        NOISE, Budget(max_steps=1, attempts=1), QUESTION, engine=StubbornEngine(logit)
    )
    assert result.halt_probability == pytest.approx(probability)


def test_an_unsolved_puzzle_has_no_solution() -> None:
    _, (result,) = run(NOISE, Budget(max_steps=3, attempts=2), QUESTION)
    assert result.solution is None
    assert result.verdict is Verdict.wrong
