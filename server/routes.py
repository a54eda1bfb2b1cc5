"""The endpoints: they translate between HTTP and the solver, and notice when a client leaves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Discriminator, Tag, ValidationError
from starlette.types import Receive, Scope, Send

from puzzles.errors import PuzzleError
from server.arrivals import Arrivals, ClientGoneError
from server.choice import NotServedError, UnknownModelError
from server.effort import LimitExceededError
from server.errors import (
    PUZZLE_FORM,
    TASK_FORM,
    NotJsonError,
    TooManyItemsError,
    documented_problems,
    problem_of,
)
from server.lane import Job
from server.metrics import ANSWERED, CLIENT_GONE
from server.schemas import (
    BatchAnswer,
    BatchRequest,
    BatchResult,
    Health,
    HealthStatus,
    Problem,
    SolveAnswer,
    SolveRequest,
)
from server.security.access import take_puzzles
from server.solver import Solver
from server.step_events import PuzzleEvents
from server.streaming import EVENTS, EventStream, answer_jobs
from server.tasks.events import TaskEvents
from server.tasks.schemas import TaskAnswer, TaskSolveRequest
from server.tasks.service import Tasks
from server.tasks.voting import counted, prepare_ballot

NDJSON = "application/x-ndjson"
METRICS_PAGE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter()


@final
class ResultStream(StreamingResponse):
    """NDJSON whose jobs end with it, even if it fails before its first line."""

    media_type = NDJSON

    def __init__(self, lines: AsyncIterator[str], arrivals: Arrivals) -> None:
        super().__init__(lines)
        self._arrivals = arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._arrivals.cancel()


# `async`, all of them: for a plain function FastAPI goes to its thread pool.
async def get_solver(request: Request) -> Solver:
    """The application's solver."""
    solver = request.app.state.solver
    assert isinstance(solver, Solver)
    return solver


async def get_batch_limit(request: Request) -> int:
    """How many items a batch may have."""
    return int(request.app.state.batch_limit)


async def get_tasks(request: Request) -> Tasks | None:
    """The application's tasks; None if it learns none."""
    tasks = request.app.state.tasks
    assert tasks is None or isinstance(tasks, Tasks)
    return tasks


def _form(body: Any) -> str:
    """Which of the two requests a body is, before it is looked at."""
    kind = body.get("kind") if isinstance(body, dict) else getattr(body, "kind", None)
    return TASK_FORM if kind == "arc" else PUZZLE_FORM


OneSolve = Annotated[
    Annotated[SolveRequest, Tag(PUZZLE_FORM)] | Annotated[TaskSolveRequest, Tag(TASK_FORM)],
    Discriminator(_form),
]
AppSolver = Annotated[Solver, Depends(get_solver)]
AppTasks = Annotated[Tasks | None, Depends(get_tasks)]
BatchLimit = Annotated[int, Depends(get_batch_limit)]


async def require_json(request: Request) -> None:
    """Raises: NotJsonError where the content type says that the body is something else."""
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise NotJsonError


JsonBody = Depends(require_json)
PROBLEMS = documented_problems()
NOT_WELL: dict[int | str, dict[str, Any]] = {503: {"model": Health}}


@router.post(
    "/v1/solve",
    response_model=SolveAnswer | TaskAnswer,
    responses={200: {"content": {EVENTS: {"schema": {"type": "string"}}}}, **PROBLEMS},
    dependencies=[JsonBody],
)
async def solve(
    body: OneSolve, request: Request, solver: AppSolver, tasks: AppTasks
) -> EventStream | SolveAnswer | TaskAnswer:
    """Solve one puzzle, or answer the questions of one task.

    With `Accept: text/event-stream` every supervision step is an event, the answer the last one.
    """
    if isinstance(body, TaskSolveRequest):
        if tasks is not None and body.task is not None:
            await asyncio.to_thread(tasks.check_ready, body.task)
        take_puzzles(request, solver.metrics, len(body.test) - 1)
        return await _answer_task(body, request, solver)
    job = solver.prepare(body, arrived_s=solver.clock())
    return await answer_jobs(
        request,
        solver,
        [job],
        events=lambda: PuzzleEvents(job),
        answer=lambda results: SolveAnswer.of(results[0]),
    )


@router.post(
    "/v1/solve/batch",
    response_model=BatchAnswer,
    responses={
        200: {"content": {NDJSON: {"schema": {"$ref": "#/components/schemas/BatchResult"}}}},
        **PROBLEMS,
    },
    dependencies=[JsonBody],
)
async def solve_batch(
    body: BatchRequest, request: Request, solver: AppSolver, batch_limit: BatchLimit
) -> Response | BatchAnswer:
    """Solve many puzzles: results in order, or one line each as they come if NDJSON is accepted.

    An item that is wrong gets its own problem; the others are solved.
    """
    arrived_s = solver.clock()
    if len(body.items) > batch_limit:
        raise TooManyItemsError(len(body.items), batch_limit)
    take_puzzles(request, solver.metrics, len(body.items) - 1)
    jobs, bad = await asyncio.to_thread(_prepare_all, solver, body.items, arrived_s)
    arrivals = Arrivals(jobs)
    solver.submit(list(jobs.values()))
    results = _batch_results(request, solver, arrivals, bad)
    if _accepts_ndjson(request):
        return ResultStream(_lines(results, solver), arrivals)
    async with aclosing(results):
        found = [result async for result in results]
    return BatchAnswer(results=sorted(found, key=lambda result: result.index))


@router.get("/healthz", response_model=Health, responses=NOT_WELL)
async def healthz(solver: AppSolver) -> Response:
    """Whether the process can go on; `failed` with 503 is for its supervisor to restart it."""
    failed = solver.state == "failed"
    return _health("failed" if failed else "ok", well=not failed)


@router.get("/readyz", response_model=Health, responses=NOT_WELL)
async def readyz(solver: AppSolver) -> Response:
    """Whether puzzles are taken: bundles loaded and warm, engines well, not shutting down."""
    state = solver.state
    return _health(state, well=state == "ready")


@router.get("/metrics", response_class=Response)
async def metrics(solver: AppSolver) -> Response:
    """Prometheus metrics."""
    return Response(solver.metrics.page(), media_type=METRICS_PAGE)


async def _answer_task(
    body: TaskSolveRequest, request: Request, solver: Solver
) -> EventStream | TaskAnswer:
    arrived_s = solver.clock()
    ballot = await asyncio.to_thread(prepare_ballot, body, solver, arrived_s)
    return await answer_jobs(
        request,
        solver,
        ballot.jobs,
        events=lambda: TaskEvents(ballot, body.test),
        answer=lambda results: counted(ballot, results, solver.clock() - arrived_s),
    )


def _prepare_all(
    solver: Solver, items: Sequence[Any], arrived_s: float
) -> tuple[dict[int, Job], dict[int, Problem]]:
    """Jobs and problems by the index of their item."""
    jobs, bad = {}, {}
    for index, item in enumerate(items):
        try:
            jobs[index] = solver.prepare(SolveRequest.model_validate(item), arrived_s)
        except (
            ValidationError,
            PuzzleError,
            NotServedError,
            UnknownModelError,
            LimitExceededError,
        ) as error:
            bad[index] = problem_of(error)
    return jobs, bad


async def _batch_results(
    request: Request, solver: Solver, arrivals: Arrivals, bad: Mapping[int, Problem]
) -> AsyncGenerator[BatchResult]:
    """Every item's result in the order of arrival, bad items first."""
    for index, problem in bad.items():
        yield BatchResult(index=index, problem=problem)
    async with aclosing(arrivals.wait(request)) as results:
        async for index, result in results:
            if isinstance(result, Exception):
                yield BatchResult(index=index, problem=problem_of(result))
            else:
                yield BatchResult(index=index, result=SolveAnswer.of(result))
    solver.metrics.request(ANSWERED)


async def _lines(results: AsyncGenerator[BatchResult], solver: Solver) -> AsyncIterator[str]:
    async with aclosing(results):
        try:
            async for result in results:
                yield result.model_dump_json() + "\n"
        except ClientGoneError:  # the response has begun: there is nobody to tell
            solver.metrics.request(CLIENT_GONE)


def _health(status: HealthStatus, *, well: bool) -> JSONResponse:
    return JSONResponse(Health(status=status).model_dump(), 200 if well else 503)


def _accepts_ndjson(request: Request) -> bool:
    accepted = request.headers.get("accept", "").split(",")
    return any(media.split(";")[0].strip().lower() == NDJSON for media in accepted)
