"""What every request passes before anything else is done for it, its body unread."""

from typing import final

from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import respond
from server.metrics import Metrics
from server.security.access import CALLER, Access, UnauthorizedError, let_in
from server.security.origins import ForeignHostError, ForeignOriginError, Origins
from server.security.rates import RateLimitedError

METRICS = "/metrics"
# What tells nothing of anybody's puzzles, and does nothing. All else needs a key, new paths too.
OPEN = frozenset({"/", "/docs", "/openapi.json", "/favicon.ico", "/healthz", "/readyz"})
OPEN_FOLDERS = ("/page/", "/docs/")  # files of the page and of the documentation
BRING_PUZZLES = frozenset({"/v1/solve", "/v1/solve/batch", "/v1/batches", "/v1/tasks"})


@final
class Gate:
    """ASGI middleware: answers 401, 403, 421 or 429, or lets a request in and says whose it is.

    A request that brings puzzles counts as one of its client's here; what it brings beside, its
    endpoint counts, which knows.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        origins: Origins,
        metrics: Metrics,
        metrics_public: bool,
    ) -> None:
        self._app = app
        self._access = access
        self._origins = origins
        self._metrics = metrics
        self._open = OPEN | {METRICS} if metrics_public else OPEN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._let_in(scope)
            except (
                UnauthorizedError,
                ForeignHostError,
                ForeignOriginError,
                RateLimitedError,
            ) as error:
                await respond(error, self._metrics)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _let_in(self, scope: Scope) -> None:
        """Raises: UnauthorizedError, ForeignHostError, ForeignOriginError, RateLimitedError."""
        self._origins.check(scope)
        path = scope["path"]
        is_open = path in self._open or path.startswith(OPEN_FOLDERS)
        caller = scope[CALLER] = self._access.identify(scope, need_key=not is_open)
        if not is_open:
            self._metrics.key_request(caller.name)
        if path in BRING_PUZZLES and scope["method"] == "POST":
            let_in(self._access, caller, self._metrics, 1)
