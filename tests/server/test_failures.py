"""Engines that fail, once or for good, and what becomes of the puzzles, of others and of health."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from starlette.testclient import TestClient

from puzzles.kind import PuzzleKind
from puzzles.registry import by_name
from puzzles.restarts import Restart
from server.app import create_app
from server.breaker import FAILURES_IN_A_ROW
from server.effort import BudgetRules
from server.lane import Job, Lane
from server.metrics import Metrics
from server.policy import Budget, Status
from server.scheduler import Scheduler
from server.settings import Settings
from server.solver import Solver
from server.worker import EngineDownError, EngineFailedError, Worker, WorkerClosedError
from tests.server.failing import FailingEngine
from tests.server.lanes import loaded
from tests.server.tiny_bundle import FOUR, four_solutions, with_empty

TIMEOUT_S = 10.0
NEVER_S = 1000.0
SOLUTION = four_solutions()[0]
QUESTION = with_empty(SOLUTION, 4)
SIX = by_name("sudoku-6x6")
SIX_SOLUTION = "123456456123231564564231312645645312"
HTTP_QUESTION = {"kind": "sudoku", "grid": QUESTION.tolist()}
thread_dies = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
ERRORS = [MemoryError(), RuntimeException("bad allocation"), RuntimeError("device"), ValueError()]


def lane_of(puzzle: PuzzleKind, engine: FailingEngine) -> Lane:
    return Lane(
        model="failing",
        puzzle=puzzle,
        restart=Restart(by="noise", noise_scale=1.0),
        engine=engine,
        scheduler=Scheduler(slots=2, queue_limit=100),
    )


class Bench:
    """A worker with a lane of 4×4 that fails when it is told to, and a sound one of 6×6."""

    def __init__(self, probe_seconds: float) -> None:
        self.engine = FailingEngine(FOUR.encode(SOLUTION))
        self.lane = lane_of(FOUR, self.engine)
        self.sound = lane_of(SIX, FailingEngine(SIX.encode(SIX.parse(SIX_SOLUTION))))
        self.worker = Worker([self.lane, self.sound], Metrics("0"), probe_seconds=probe_seconds)

    def job(self) -> Job:
        return Job(self.lane, QUESTION, Budget(1000, 1), arrived_s=0.0)

    def sound_job(self) -> Job:
        question = SIX.parse("." + SIX_SOLUTION[1:])
        return Job(self.sound, question, Budget(1000, 1), arrived_s=0.0)

    def outcome(self, job: Job) -> Exception | Status:
        """What comes of a job that is submitted alone."""
        self.worker.submit([job])
        error = job.future.exception(TIMEOUT_S)
        return error if isinstance(error, Exception) else job.future.result().finish.status

    def break_down(self) -> None:
        """Fail so often that the lane is given up."""
        self.engine.error = MemoryError()
        for _ in range(FAILURES_IN_A_ROW):
            assert isinstance(self.outcome(self.job()), EngineFailedError)


@contextmanager
def running(*, probe_seconds: float = NEVER_S) -> Iterator[Bench]:
    made = Bench(probe_seconds)
    made.worker.start()
    try:
        yield made
    finally:
        made.worker.close()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_step_fails_with_its_puzzles_fail_and_the_next_is_solved(
    error: Exception,
) -> None:
    with running() as bench:
        bench.engine.error = error
        assert isinstance(bench.outcome(bench.job()), EngineFailedError)
        bench.engine.error = None
        assert bench.outcome(bench.job()) is Status.solved
        assert bench.worker.healthy


def test_a_reset_that_fails_as_well_ends_nothing_else() -> None:
    with running() as bench:
        bench.engine.error, bench.engine.reset_error = RuntimeError(), RuntimeError()
        assert isinstance(bench.outcome(bench.job()), EngineFailedError)
        bench.engine.error = bench.engine.reset_error = None
        assert bench.outcome(bench.job()) is Status.solved


def test_a_lane_that_fails_in_a_row_is_given_up_with_all_that_wait_there() -> None:
    with running() as bench:
        bench.engine.error = MemoryError()
        jobs = [bench.job() for _ in range(2 * FAILURES_IN_A_ROW + 3)]  # two slots
        bench.worker.submit(jobs)
        found = [type(job.future.exception(TIMEOUT_S)) for job in jobs]
        assert found == [EngineFailedError] * 2 * FAILURES_IN_A_ROW + [EngineDownError] * 3
        assert not bench.worker.healthy
        assert bench.worker.idle


def test_who_comes_to_a_lane_that_is_given_up_learns_when_it_is_probed() -> None:
    with running() as bench:
        bench.break_down()
        refused = bench.outcome(bench.job())
        assert isinstance(refused, EngineDownError)
        assert NEVER_S - TIMEOUT_S < refused.retry_after_s <= NEVER_S


def test_other_lanes_go_on_beside_one_that_is_given_up() -> None:
    with running() as bench:
        bench.break_down()
        down, sound = bench.job(), bench.sound_job()
        bench.worker.submit([down, sound])
        assert isinstance(down.future.exception(TIMEOUT_S), EngineDownError)
        assert sound.future.result(TIMEOUT_S).finish.status is Status.solved


def test_a_probe_that_succeeds_brings_the_lane_back() -> None:
    with running(probe_seconds=0.0) as bench:
        bench.break_down()
        assert bench.engine.failed.acquire(timeout=TIMEOUT_S)
        bench.engine.error = None
        while not bench.worker.healthy:
            assert bench.worker.alive
        assert bench.outcome(bench.job()) is Status.solved


@thread_dies
def test_when_the_thread_dies_everybody_is_told() -> None:
    with running() as bench:
        bench.engine.error = SystemExit()  # no Exception: nothing in the worker catches it
        jobs = [bench.job() for _ in range(5)]
        bench.worker.submit(jobs)
        for job in jobs:
            assert isinstance(job.future.exception(TIMEOUT_S), WorkerClosedError)
        with pytest.raises(WorkerClosedError):
            bench.worker.submit([bench.job()])


@pytest.fixture
def engine() -> FailingEngine:
    return FailingEngine(FOUR.encode(SOLUTION))


@pytest.fixture
def client(engine: FailingEngine) -> Iterator[TestClient]:
    rules = BudgetRules(1000, 1, max_steps_limit=1000, attempts_limit=1)
    solver = Solver(loaded(lane_of(FOUR, engine)), rules, Metrics("0"))
    with TestClient(create_app(solver, Settings())) as served:
        yield served


def health(client: TestClient, path: str) -> tuple[int, str]:
    response = client.get(path)
    return response.status_code, response.json()["status"]


def test_a_lane_that_is_given_up_answers_503_until_it_works_again(
    client: TestClient, engine: FailingEngine
) -> None:
    engine.error = MemoryError()
    answers = [client.post("/v1/solve", json=HTTP_QUESTION) for _ in range(FAILURES_IN_A_ROW + 1)]
    found = [(answer.status_code, answer.json()["code"]) for answer in answers]
    assert found == [(500, "engine_failed")] * FAILURES_IN_A_ROW + [(503, "engine_down")]
    assert answers[-1].headers["retry-after"] == "1"
    assert health(client, "/readyz") == (503, "recovering")
    assert health(client, "/healthz") == (200, "ok")
    engine.error = None
    while health(client, "/readyz") != (200, "ready"):
        pass
    assert client.post("/v1/solve", json=HTTP_QUESTION).status_code == 200


@thread_dies
def test_a_dead_worker_fails_both_health_checks_and_every_request(
    client: TestClient, engine: FailingEngine
) -> None:
    engine.error = SystemExit()
    answers = [client.post("/v1/solve", json=HTTP_QUESTION) for _ in range(2)]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(503, "stopped")] * 2
    while health(client, "/readyz") != (503, "failed"):
        pass
    assert health(client, "/healthz") == (503, "failed")
