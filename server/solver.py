"""Puzzles in, results out: what HTTP and `ponder solve` have in common.

`prepare` checks a request and makes a job of it, `submit` answers what needs no network and queues
the rest; the job's future resolves on the worker's thread.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from types import TracebackType
from typing import Literal, final, get_args

from puzzles.kind import Grid, Verdict
from puzzles.registry import select
from server.choice import NotServedError
from server.effort import BudgetRules
from server.lane import Job, Lane, SolveResult
from server.loaded import Loaded
from server.metrics import Metrics
from server.policy import OUT_OF_TIME, Budget, Finish, Spent, Status, StoppedBy
from server.schemas import SolveRequest, read_grid
from server.tasks.catalog import TaskCatalog
from server.worker import Worker

State = Literal["starting", "ready", "draining", "recovering", "failed"]

TASK_HINT = "POST /v1/solve with `test` and `task` or `train`"
GIVEN_COMPLETE = Finish(Status.solved, StoppedBy.verified)


class DrainingError(Exception):
    """The server is shutting down and takes no more puzzles."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down")


@final
class Solver:
    """Loaded bundles with a worker behind them; a context manager that starts and closes it."""

    def __init__(
        self,
        loaded: Loaded,
        rules: BudgetRules,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.catalog = TaskCatalog(rows for bundle in loaded.bundles for rows in bundle.tasks)
        self.metrics = metrics
        self.clock = clock
        self._loaded = loaded
        self._rules = rules
        self._worker = Worker(loaded.lanes, metrics, clock)
        self._draining = False
        self._started_s: float | None = None
        metrics.watch(loaded.lanes, lambda: self._worker.lanes)
        metrics.watch_state(get_args(State), lambda: self.state)

    def __enter__(self) -> "Solver":
        self._worker.start()
        self._started_s = self.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._draining = True
        self._worker.close()

    @property
    def loaded(self) -> Loaded:
        """The bundles that new puzzles are solved by; ask once for what belongs together."""
        return self._loaded

    def replace(self, loaded: Loaded) -> None:
        """Solve new puzzles by these bundles, whose lanes are warm, from now on.

        Puzzles that wait or work go on where they are.
        """
        self._worker.replace(loaded.lanes)
        self._loaded = loaded
        self.catalog.replace(rows for bundle in loaded.bundles for rows in bundle.tasks)
        self.metrics.watch(loaded.lanes, lambda: self._worker.lanes)

    @property
    def state(self) -> State:
        """`ready` means: a puzzle submitted now will be worked on.

        `recovering`: one size's engine fails and is probed. `failed`: the worker is gone for good.
        """
        if self._started_s is None:
            return "starting"
        if self._draining:
            return "draining"
        if not self._worker.alive:
            return "failed"
        return "ready" if self._worker.healthy else "recovering"

    @property
    def uptime_s(self) -> float:
        """Since it was started; 0 before."""
        return 0.0 if self._started_s is None else self.clock() - self._started_s

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes of the loaded bundles; with work also those replaced, and of learnt tasks."""
        return self._worker.lanes

    @property
    def idle(self) -> bool:
        """Whether no puzzle waits or works."""
        return self._worker.idle

    def drain(self, seconds: float) -> None:
        """Take no more puzzles, and let none that was accepted run for longer than this.

        Lines of batches end at once, with WorkerClosedError.
        """
        self._draining = True
        self._worker.drain(seconds)

    @property
    def any_queue_full(self) -> bool:
        """Whether a puzzle of some size would be refused for that alone."""
        return not self._draining and any(not lane.scheduler.room for lane in self._loaded.lanes)

    def check_room(self, request: SolveRequest) -> None:
        """Check that the queue of a request's size is not full; the puzzle is not looked at.

        Raises: QueueFullError, PuzzleError, NotServedError, UnknownModelError.
        """
        puzzle = select(request.kind, read_grid(request.grid))
        self._loaded.lane(puzzle.spec.name, request.model).scheduler.check_room(1)

    def prepare(self, request: SolveRequest, arrived_s: float) -> Job:
        """Check a request that arrived at `arrived_s` on the solver's clock.

        Raises: PuzzleError, NotServedError, UnknownModelError, LimitExceededError.
        """
        loaded = self._loaded
        raw = read_grid(request.grid)
        puzzle = select(request.kind, raw)
        question = puzzle.parse(raw)
        puzzle.check(question)
        if puzzle.spec.uses_task:
            raise NotServedError(f"a question of {puzzle.spec.kind} needs its task: {TASK_HINT}")
        lane = loaded.lane(puzzle.spec.name, request.model)
        budget = self._rules.budget(request, loaded.efforts(lane), arrived_s)
        self.metrics.asked(lane.name, request.effort)
        return Job(lane, question, budget, arrived_s)

    def view_budget(
        self, trained: int, max_steps: int | None, deadline_ms: int | None, arrived_s: float
    ) -> Budget:
        """What a view of a task's question may spend: one attempt, as deep as was trained.

        Raises: LimitExceededError.
        """
        return self._rules.one_attempt(max_steps, trained, deadline_ms, arrived_s)

    def submit(self, jobs: Sequence[Job], background: Hashable | None = None) -> None:
        """Take all of these jobs, which are one request, or none.

        background: the batch whose lines they are; they wait behind all requests and need no room.
        Raises: QueueFullError, DrainingError, WorkerClosedError.
        """
        if self._draining:
            raise DrainingError
        results = [self._without_steps(job) for job in jobs]
        self._worker.submit(
            [job for job, result in zip(jobs, results, strict=True) if result is None], background
        )
        for job, result in zip(jobs, results, strict=True):
            if result is not None:
                self.metrics.solve(result)
                job.future.set_result(result)

    def _without_steps(self, job: Job) -> SolveResult | None:
        """The result of a job that needs no supervision step, or cannot have one."""
        puzzle, question = job.lane.puzzle, job.question
        if puzzle.is_complete(question):
            verdict = puzzle.verify(question, question)
            if verdict is Verdict.solved:
                return self._result_at_once(job, GIVEN_COMPLETE, question, verdict)
        if self.clock() >= job.budget.deadline_s:
            return self._result_at_once(job, OUT_OF_TIME, None, None)
        return None

    def _result_at_once(
        self, job: Job, finish: Finish, solution: Grid | None, verdict: Verdict | None
    ) -> SolveResult:
        return SolveResult(
            puzzle=job.lane.name,
            model=job.lane.model,
            finish=finish,
            spent=Spent(),
            solution=solution,
            answer=solution,
            verdict=verdict,
            halt_probability=None,
            queue_s=self.clock() - job.arrived_s,
            compute_s=0.0,
        )
