"""Overload is refused before it costs much: without routing, dependencies, rules or a job.

A refusal by the endpoint itself takes several times as long; at ten times the load that would be
what the processor is busy with.
"""

from typing import final

from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from puzzles.errors import PuzzleError
from server.choice import NotServedError, UnknownModelError
from server.errors import respond
from server.scheduler import QueueFullError
from server.schemas import SolveRequest
from server.solver import Solver

SINGLE = "/v1/solve"


@final
class Shedding:
    """ASGI middleware: answers 429 to a single puzzle whose queue is full; all else goes on.

    Expects the body in one piece, as `BodyLimit` hands it on. While no queue is full it does
    nothing.
    """

    def __init__(self, app: ASGIApp, *, solver: Solver) -> None:
        self._app = app
        self._solver = solver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != SINGLE or not self._solver.any_queue_full:
            await self._app(scope, receive, send)
            return
        first = await receive()
        refusal = self._refusal(first.get("body", b""))
        if refusal is not None:
            await respond(refusal, self._solver.metrics)(scope, receive, send)
            return
        waiting: list[Message] = [first]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)

    def _refusal(self, body: bytes) -> QueueFullError | None:
        """Why a body is refused; None also for one that the endpoint will find fault with."""
        try:
            self._solver.check_room(SolveRequest.model_validate_json(body))
        except QueueFullError as error:
            return error
        except (ValidationError, PuzzleError, NotServedError, UnknownModelError):
            return None
        return None
