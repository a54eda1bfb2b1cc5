"""The web application around a solver. Importing it loads neither torch nor onnx."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from server.arrivals import ClientGoneError
from server.batches.routes import UPLOAD
from server.batches.routes import router as batches_router
from server.batches.service import Batches
from server.engine_routes import router as engine_router
from server.errors import BY_ERROR, problem_classes, respond
from server.limits import BodyLimit
from server.metrics import ANSWERED, CLIENT_GONE
from server.model_routes import router as model_router
from server.page.routes import router as page_router
from server.reloading import Reloader
from server.request_scope import RequestScope
from server.routes import router
from server.security.access import Access
from server.security.headers import SecurityHeaders
from server.security.opening import open_access
from server.security.protection import protect, told_of_keys
from server.settings import Settings
from server.shedding import Shedding
from server.solver import Solver
from server.tasks.routes import router as tasks_router
from server.tasks.service import Tasks

CLIENT_GONE_STATUS = 499  # nobody reads it


def create_app(
    solver: Solver,
    settings: Settings,
    batches: Batches | None = None,
    tasks: Tasks | None = None,
    reloader: Reloader | None = None,
    *,
    access: Access | None = None,
) -> FastAPI:
    """An application that runs `solver`, loaded and warm, for as long as it lives itself.

    And `batches`, without which it has no endpoints for them, and `tasks`, without which it
    learns none. reloader: of the solver's bundles, where somebody else reloads them too.
    access: opened as the settings say where it is not given.
    """
    access = access or open_access(settings, time.monotonic, secrets.token_bytes).access

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with solver, batches or nullcontext(), tasks or nullcontext():
            yield

    async def on_error(_: Request, error: Exception) -> Response:
        return respond(error, solver.metrics)

    async def on_client_gone(_: Request, __: Exception) -> Response:
        solver.metrics.request(CLIENT_GONE)
        return Response(status_code=CLIENT_GONE_STATUS)

    app = FastAPI(
        title="ponder",
        summary="Small recursive models that solve puzzles; answers are checked by the rules.",
        version=version("ponder"),
        lifespan=lifespan,
        docs_url=None,  # server.page has it
        redoc_url=None,
        dependencies=told_of_keys(access),
    )
    solver.metrics.expect_requests((ANSWERED, CLIENT_GONE, *problem_classes()))
    app.state.access = access
    app.state.solver = solver
    app.state.batch_limit = settings.batch_limit
    app.include_router(router)
    app.include_router(engine_router)
    app.state.reloader = reloader or Reloader(solver, settings)
    app.include_router(model_router)
    if batches is not None:
        app.state.batches = batches
        app.include_router(batches_router)
    app.state.tasks = tasks
    app.include_router(tasks_router)
    app.include_router(page_router)
    app.add_middleware(Shedding, solver=solver)  # within the one below, which reads the body
    app.add_middleware(
        BodyLimit,
        limit_bytes=settings.body_limit_bytes,
        limit_seconds=settings.receive_seconds,
        metrics=solver.metrics,
        not_at=UPLOAD,
    )
    protect(app, settings, access, solver.metrics)
    app.add_middleware(  # around all that may fail
        RequestScope, metrics=solver.metrics, log_access=settings.access_log
    )
    app.add_middleware(SecurityHeaders)
    for error in (*BY_ERROR, HTTPException):
        app.add_exception_handler(error, on_error)
    app.add_exception_handler(ClientGoneError, on_client_gone)
    return app
