"""What every request gets, whatever becomes of it: an id, an answer, and a line in the log.

The line is written only if it is asked for: it costs the event loop about as much as a refusal.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import respond
from server.metrics import Metrics
from server.request_context import HEADER, begin_request
from server.security.access import CALLER, Caller

log = logging.getLogger(__name__)
access_log = logging.getLogger("server.access")

LONGEST_PATH = 200  # characters, of a path that no endpoint has
_HEADER = HEADER.lower().encode()


@final
class RequestScope:
    """ASGI middleware, around all others: names requests, and answers 500 where they fail.

    So a request that met a bug has its id in the log, in the header and in the problem.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        log_access: bool,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """log_access: write a line per request. clock: seconds."""
        self._app = app
        self._metrics = metrics
        self._log_access = log_access
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        marked = (_HEADER, begin_request(_given(scope)).encode())
        status = size_bytes = 0
        started_s = self._clock()

        async def send_marked(message: Message) -> None:
            nonlocal status, size_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), marked]
            else:
                size_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception as error:
            if status:  # too late to say anything: uvicorn logs it and cuts the connection
                raise
            log.exception("request failed", extra={"path": path_of(scope)})
            await respond(error, self._metrics)(scope, receive, send_marked)
        finally:
            if self._log_access:
                fields: Mapping[str, Any] = {
                    "method": scope["method"],
                    "path": path_of(scope),
                    "status": status,
                    "ms": round(1000 * (self._clock() - started_s), 3),
                    "bytes": size_bytes,
                }
                caller = scope.get(CALLER)  # None if the gate refused it
                key = {"key": caller.name} if isinstance(caller, Caller) else {}
                access_log.info("request", extra={**fields, **key})


def path_of(scope: Scope) -> str:
    """The endpoint's path with names for what varies; as it came if no endpoint was found."""
    route = route_of(scope)
    return str(scope["path"])[:LONGEST_PATH] if route is None else route


def route_of(scope: Scope) -> str | None:
    """The endpoint's path with names for what varies; None before one was found."""
    route = scope.get("route")
    return None if route is None else str(route.path)


def _given(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == _HEADER:
            return bytes(value)
    return None
