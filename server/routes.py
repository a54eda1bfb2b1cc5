"""The endpoints: they translate between HTTP and the solver, and notice when a client leaves."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import ValidationError

from puzzles.errors import PuzzleError
from server.errors import NotJsonError, TooManyItemsError, problem_of
from server.lane import Job, SolveResult
from server.schemas import (
    BatchAnswer,
    BatchRequest,
    BatchResult,
    Health,
    ModelList,
    ModelSummary,
    Problem,
    SolveAnswer,
    SolveRequest,
)
from server.solver import LimitExceededError, NotServedError, Solver

NDJSON = "application/x-ndjson"
METRICS_PAGE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter()


class ClientGoneError(Exception):
    """The client closed its connection; nobody waits for the answer."""


def get_solver(request: Request) -> Solver:
    """The application's solver."""
    solver = request.app.state.solver
    assert isinstance(solver, Solver)
    return solver


def get_batch_limit(request: Request) -> int:
    """How many items a batch may have."""
    return int(request.app.state.batch_limit)


AppSolver = Annotated[Solver, Depends(get_solver)]
BatchLimit = Annotated[int, Depends(get_batch_limit)]


@router.post("/v1/solve", responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})
async def solve(body: SolveRequest, request: Request, solver: AppSolver) -> SolveAnswer:
    """Solve one puzzle."""
    job = solver.prepare(body, arrived_s=solver.clock())
    solver.submit([job])
    async with aclosing(_as_answered(request, {0: job})) as arrivals:
        async for _, result in arrivals:
            if isinstance(result, Exception):
                raise result
            solver.metrics.request("answered")
            return SolveAnswer.of(result)
    raise AssertionError("a job without a result")


@router.post(
    "/v1/solve/batch",
    response_model=BatchAnswer,
    responses={
        200: {"content": {NDJSON: {"schema": {"$ref": "#/components/schemas/BatchResult"}}}},
        "4XX": {"model": Problem},
        "5XX": {"model": Problem},
    },
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
    jobs, bad = await asyncio.to_thread(_prepare_all, solver, body.items, arrived_s)
    solver.submit(list(jobs.values()))
    results = _batch_results(request, solver, jobs, bad)
    if _accepts_ndjson(request):
        return StreamingResponse(_lines(results), media_type=NDJSON)
    async with aclosing(results):
        found = [result async for result in results]
    return BatchAnswer(results=sorted(found, key=lambda result: result.index))


@router.get("/v1/models")
async def models(solver: AppSolver) -> ModelList:
    """The loaded bundles."""
    return ModelList(models=[ModelSummary.of(manifest) for manifest in solver.manifests])


@router.get("/healthz")
async def healthz() -> Health:
    """Whether the process answers at all."""
    return Health(status="ok")


@router.get("/readyz", response_model=Health, responses={503: {"model": Health}})
async def readyz(solver: AppSolver) -> Response:
    """Whether puzzles are taken: bundles loaded and warm, worker running, not shutting down."""
    health = Health(status=solver.state)
    return JSONResponse(health.model_dump(), 200 if solver.state == "ready" else 503)


@router.get("/metrics", response_class=Response)
async def metrics(solver: AppSolver) -> Response:
    """Prometheus metrics."""
    return Response(solver.metrics.page(), media_type=METRICS_PAGE)


def _prepare_all(
    solver: Solver, items: Sequence[Any], arrived_s: float
) -> tuple[dict[int, Job], dict[int, Problem]]:
    """Jobs and problems by the index of their item."""
    jobs, bad = {}, {}
    for index, item in enumerate(items):
        try:
            jobs[index] = solver.prepare(SolveRequest.model_validate(item), arrived_s)
        except (ValidationError, PuzzleError, NotServedError, LimitExceededError) as error:
            bad[index] = problem_of(error)
    return jobs, bad


async def _batch_results(
    request: Request, solver: Solver, jobs: Mapping[int, Job], bad: Mapping[int, Problem]
) -> AsyncIterator[BatchResult]:
    """Every item's result in the order of arrival, bad items first."""
    for index, problem in bad.items():
        yield BatchResult(index=index, problem=problem)
    async with aclosing(_as_answered(request, jobs)) as arrivals:
        async for index, result in arrivals:
            if isinstance(result, Exception):
                yield BatchResult(index=index, problem=problem_of(result))
            else:
                yield BatchResult(index=index, result=SolveAnswer.of(result))
    solver.metrics.request("answered")


async def _lines(results: AsyncIterator[BatchResult]) -> AsyncIterator[str]:
    async for result in results:
        yield result.model_dump_json(exclude_none=False) + "\n"


async def _as_answered(
    request: Request, jobs: Mapping[int, Job]
) -> AsyncIterator[tuple[int, SolveResult | Exception]]:
    """Results as they come. Jobs that are not done when the caller leaves are cancelled.

    Raises: ClientGoneError.
    """
    indices = {asyncio.wrap_future(job.future): index for index, job in jobs.items()}
    pending = set(indices)
    gone = asyncio.create_task(_disconnected(request))
    try:
        while pending:
            await asyncio.wait({*pending, gone}, return_when=asyncio.FIRST_COMPLETED)
            done = {future for future in pending if future.done()}
            if gone.done() and not done:
                raise ClientGoneError
            pending -= done
            for future in done:
                error = future.exception()
                yield indices[future], error if isinstance(error, Exception) else future.result()
    finally:
        gone.cancel()
        for future in pending:
            future.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _accepts_ndjson(request: Request) -> bool:
    accepted = request.headers.get("accept", "").split(",")
    return any(media.split(";")[0].strip().lower() == NDJSON for media in accepted)
