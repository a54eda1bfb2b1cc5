"""The web application around a solver. Importing it loads neither torch nor onnx."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from puzzles.errors import PuzzleError
from server import errors
from server.limits import BodyLimit
from server.routes import ClientGoneError, router
from server.settings import Settings
from server.solver import Solver

CLIENT_GONE_STATUS = 499  # nobody reads it


def create_app(solver: Solver, settings: Settings) -> FastAPI:
    """An application that runs `solver` for as long as it lives."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with solver:
            yield

    app = FastAPI(
        title="ponder",
        summary="Small recursive models that solve puzzles, with checked answers.",
        version=version("ponder"),
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.solver = solver
    app.state.batch_limit = settings.batch_limit
    app.include_router(router)
    app.add_middleware(
        BodyLimit, limit_bytes=settings.body_limit_bytes, metrics=solver.metrics
    )
    ...
    return app
