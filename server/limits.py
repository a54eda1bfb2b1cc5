"""A limit on request bodies, enforced while they arrive."""

from typing import final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import BodyTooLargeError, respond
from server.metrics import Metrics


@final
class BodyLimit:
    """ASGI middleware: reads a body up to the limit and hands it on whole, or answers 413."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int, metrics: Metrics) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            messages = await self._read(Headers(scope=scope), receive)
        except BodyTooLargeError as error:
            response = respond(error, self._metrics)
            await response(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)

    async def _read(self, headers: Headers, receive: Receive) -> list[Message]:
        """Everything that the client sends before the answer. Raises: BodyTooLargeError."""
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit_bytes:
            raise BodyTooLargeError(self._limit_bytes)
        messages: list[Message] = []
        size_bytes = 0
        while not messages or messages[-1].get("more_body", False):
            messages.append(await receive())
            size_bytes += len(messages[-1].get("body", b""))
            if size_bytes > self._limit_bytes:
                raise BodyTooLargeError(self._limit_bytes)
        return messages
