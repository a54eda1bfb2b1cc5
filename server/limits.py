"""Limits on request bodies, size and time, enforced while they arrive."""

import asyncio
from typing import final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import BodyTooLargeError, BodyTooSlowError, respond
from server.metrics import Metrics


@final
class BodyLimit:
    """ASGI middleware: hands on a body that keeps the limits whole, or answers 413 or 408."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_bytes: int,
        limit_seconds: float,
        metrics: Metrics,
        not_at: str | None = None,
    ) -> None:
        """not_at: the path of an endpoint that takes its body piece by piece, and sees to it."""
        self._app = app
        self._limit_bytes = limit_bytes
        self._limit_seconds = limit_seconds
        self._metrics = metrics
        self._not_at = not_at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self._not_at:
            await self._app(scope, receive, send)
            return
        try:
            whole: Message | None = await self._read_in_time(Headers(scope=scope), receive)
        except (BodyTooLargeError, BodyTooSlowError) as error:
            response = respond(error, self._metrics)
            await response(scope, receive, send)
            return

        async def replay() -> Message:
            nonlocal whole
            message, whole = whole, None
            return message or await receive()

        await self._app(scope, replay, send)

    async def _read_in_time(self, headers: Headers, receive: Receive) -> Message:
        """Raises: BodyTooLargeError, BodyTooSlowError."""
        try:
            async with asyncio.timeout(self._limit_seconds):
                return await self._read(headers, receive)
        except TimeoutError:
            raise BodyTooSlowError(self._limit_seconds) from None

    async def _read(self, headers: Headers, receive: Receive) -> Message:
        """The whole body in one message, or the client's disconnect. Raises: BodyTooLargeError."""
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit_bytes:
            raise BodyTooLargeError(self._limit_bytes)
        parts: list[bytes] = []
        size_bytes = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return message
            parts.append(message.get("body", b""))
            size_bytes += len(parts[-1])
            if size_bytes > self._limit_bytes:
                raise BodyTooLargeError(self._limit_bytes)
            if not message.get("more_body", False):
                return {"type": "http.request", "body": b"".join(parts), "more_body": False}
