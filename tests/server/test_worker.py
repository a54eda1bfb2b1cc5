"""The thread between submit and result, with an engine that stands still when told to."""

from collections.abc import Iterator

import pytest

from puzzles.kind import Grid
from puzzles.restarts import Restart
from server.lane import Job, Lane
from server.metrics import Metrics
from server.policy import Budget, StoppedBy
from server.scheduler import QueueFullError, Scheduler
from server.worker import EngineFailedError, Worker, WorkerClosedError
from tests.server.gated import TIMEOUT_S, GatedEngine
from tests.server.tiny_bundle import FOUR, four_solutions, with_empty

SOLUTION, OTHER = four_solutions()[0], four_solutions()[100]
SOLVABLE = with_empty(SOLUTION, 4)  # by the engine's one answer
HOPELESS = with_empty(OTHER, 4)
PATIENT = Budget(max_steps=1000, attempts=1)


class Bench:
    """A worker with one gated lane of two slots."""

    def __init__(self) -> None:
        self.engine = GatedEngine(16, FOUR.encode(SOLUTION))
        self.lane = Lane(
            model="gated",
            puzzle=FOUR,
            restart=Restart(by="noise", noise_scale=1.0),
            engine=self.engine,
            scheduler=Scheduler(slots=2, queue_limit=3),
        )
        self.worker = Worker([self.lane], Metrics("0"))

    def submit(self, *questions: Grid) -> list[Job]:
        jobs = [Job(self.lane, question, PATIENT, arrived_s=0.0) for question in questions]
        self.worker.submit(jobs)
        return jobs


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.worker.start()
    yield made
    made.engine.open()
    made.worker.close()


def tokens_of(*questions: Grid) -> list[list[int]]:
    return [FOUR.encode(question).tolist() for question in questions]


def test_a_puzzle_that_arrives_during_a_step_joins_the_next_one(bench: Bench) -> None:
    bench.submit(HOPELESS)
    bench.engine.wait_for_step()
    bench.submit(SOLVABLE)
    bench.engine.let_go()
    assert bench.engine.wait_for_step().tokens.tolist() == tokens_of(HOPELESS, SOLVABLE)


def test_a_solved_puzzles_slot_goes_to_the_next_in_the_queue(bench: Bench) -> None:
    solved, *_ = bench.submit(SOLVABLE, HOPELESS, SOLVABLE)
    bench.engine.wait_for_step()
    bench.engine.let_go()
    inputs = bench.engine.wait_for_step()
    assert solved.future.result(TIMEOUT_S).finish.stopped_by is StoppedBy.verified
    assert inputs.tokens.tolist() == tokens_of(HOPELESS, SOLVABLE)
    assert inputs.source.tolist() == [1, -1]


def test_a_cancelled_future_frees_the_slot_at_the_next_step(bench: Bench) -> None:
    gone, _, _ = bench.submit(HOPELESS, HOPELESS, SOLVABLE)
    bench.engine.wait_for_step()
    assert gone.future.cancel()
    bench.engine.let_go()
    assert bench.engine.wait_for_step().tokens.tolist() == tokens_of(HOPELESS, SOLVABLE)


def test_a_failed_step_fails_its_puzzles_and_the_rest_goes_on(bench: Bench) -> None:
    bench.engine.breaks = True
    first, second, waiting = bench.submit(HOPELESS, HOPELESS, SOLVABLE)
    bench.engine.wait_for_step()
    bench.engine.let_go()
    for job in (first, second):
        assert isinstance(job.future.exception(TIMEOUT_S), EngineFailedError)
    bench.engine.wait_for_step()
    bench.engine.breaks = False
    bench.engine.let_go()
    assert waiting.future.result(TIMEOUT_S).finish.stopped_by is StoppedBy.verified


def test_jobs_are_queued_all_or_none(bench: Bench) -> None:
    bench.submit(HOPELESS, HOPELESS)
    bench.engine.wait_for_step()
    with pytest.raises(QueueFullError):
        bench.submit(*[SOLVABLE] * 4)
    assert bench.lane.scheduler.waiting == 0
    bench.submit(*[SOLVABLE] * 3)
    assert bench.lane.scheduler.waiting == 3


def test_closing_ends_after_the_step_that_runs_and_fails_what_is_left() -> None:
    bench = Bench()
    bench.worker.start()
    working, waiting, third = bench.submit(HOPELESS, HOPELESS, HOPELESS)
    bench.engine.wait_for_step()
    bench.engine.open()
    bench.worker.close()
    for job in (working, waiting, third):
        assert isinstance(job.future.exception(TIMEOUT_S), WorkerClosedError)
    assert not bench.worker.alive


def test_a_closed_worker_takes_no_jobs() -> None:
    bench = Bench()
    bench.worker.start()
    bench.worker.close()
    with pytest.raises(WorkerClosedError):
        bench.submit(SOLVABLE)


def test_limited_deadlines_end_what_would_run_on(bench: Bench) -> None:
    (job,) = bench.submit(HOPELESS)
    bench.engine.wait_for_step()
    bench.worker.drain(0.0)
    bench.engine.let_go()
    assert job.future.result(TIMEOUT_S).finish.stopped_by is StoppedBy.deadline
