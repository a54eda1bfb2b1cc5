"""The endpoints of tasks. Plain functions run in threads: what they do waits for the disk."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from server.metrics import ANSWERED
from server.routes import PROBLEMS, AppSolver, AppTasks, JsonBody
from server.solver import DrainingError, Solver
from server.tasks.catalog import UnknownTaskError
from server.tasks.errors import AdaptationUnavailableError, TaskInBundleError
from server.tasks.schemas import Demonstrations, Task, TaskList, TaskRequest
from server.tasks.service import Tasks

TASKS = "/v1/tasks"
LOOK_SECONDS = 0.25  # between looks at a task whose news are streamed

router = APIRouter(responses=PROBLEMS)


@router.post(TASKS, status_code=201, responses={202: {"model": Task}}, dependencies=[JsonBody])
def register(body: TaskRequest, response: Response, solver: AppSolver, tasks: AppTasks) -> Task:
    """Make a task known: 201 if it is, in whatever colours and turned as may be; else 202.

    In that case, and where `side` is more than its canvas has, it is learnt from its
    demonstrations when its turn comes.
    """
    if solver.state == "draining":
        raise DrainingError
    if tasks is None:
        raise AdaptationUnavailableError(
            "no bundle with tasks was loaded at the start, or --adapt is false"
        )
    task = tasks.register(body)
    solver.metrics.request(ANSWERED)
    response.headers["Location"] = f"{TASKS}/{task.id}"
    if task.state != "ready":
        response.status_code = 202
    return task


@router.get(TASKS)
def list_tasks(solver: AppSolver, tasks: AppTasks) -> TaskList:
    """The tasks that can be asked, and those that were handed in here."""
    return TaskList(tasks=solver.catalog.names, adapted=tasks.adapted() if tasks else ())


@router.get(TASKS + "/{task_id}")
def show(task_id: str, solver: AppSolver, tasks: AppTasks) -> Task:
    """A task, and how far it is."""
    return _task(task_id, solver, tasks)


@router.get(TASKS + "/{task_id}/demonstrations")
def demonstrations(task_id: str, solver: AppSolver) -> Demonstrations:
    """What a task that can be asked is told by, in the form that `train` has in requests."""
    return Demonstrations.of(solver.catalog.named(task_id).rows.task)


@router.delete(TASKS + "/{task_id}", status_code=204)
def delete(task_id: str, solver: AppSolver, tasks: AppTasks) -> None:
    """Stop learning a task and forget it; those in bundles stay."""
    if tasks is not None:
        tasks.delete(task_id)
    else:
        solver.catalog.named(task_id)
        raise TaskInBundleError(task_id)


KnownId = Annotated[Task, Depends(show)]  # so that an unknown one is refused before the stream


@router.get(TASKS + "/{task_id}/events", response_class=EventSourceResponse)
async def events(
    task_id: str, _: KnownId, solver: AppSolver, tasks: AppTasks
) -> AsyncIterator[ServerSentEvent]:
    """The task whenever it changes, until it is ready, has failed or is gone."""
    before = None
    while solver.state != "draining":
        try:
            task = await asyncio.to_thread(_task, task_id, solver, tasks)
        except UnknownTaskError:
            yield ServerSentEvent(event="deleted", data={"id": task_id})
            return
        if task != before:
            yield ServerSentEvent(event="task", data=task)
        if task.state in ("ready", "failed"):
            return
        before = task
        await asyncio.sleep(LOOK_SECONDS)


def _task(task_id: str, solver: Solver, tasks: Tasks | None) -> Task:
    """Raises: UnknownTaskError."""
    if tasks is not None:
        return tasks.get(task_id)
    solver.catalog.named(task_id)
    return Task(id=task_id, name=None, state="ready", origin="bundle")
