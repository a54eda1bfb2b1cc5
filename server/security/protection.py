"""Everything that stands between the network and the endpoints, put around an application."""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from server.metrics import Metrics
from server.security.access import Access
from server.security.gate import Gate
from server.security.opening import open_origins
from server.settings import Settings

METHODS = ("GET", "POST", "DELETE")
ASKED_BY = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "Range",
    "X-Request-ID",
)
TOLD_TO = (
    "Accept-Ranges",
    "Content-Range",
    "Location",
    "Ponder-Complete",
    "Retry-After",
    "X-Request-ID",
)
ASK_AGAIN_SECONDS = 600


def protect(app: FastAPI, settings: Settings, access: Access, metrics: Metrics) -> None:
    """Put the gate around what is there already, and around it what other sites may ask.

    Preflights carry no key: they end before the gate. What the gate refuses, pages may read.
    """
    app.add_middleware(
        Gate,
        access=access,
        origins=open_origins(settings),
        metrics=metrics,
        metrics_public=settings.metrics_public,
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=METHODS,
            allow_headers=ASKED_BY,
            allow_credentials=False,  # keys are sent by hand, never by the browser
            expose_headers=TOLD_TO,
            max_age=ASK_AGAIN_SECONDS,
        )


def told_of_keys(access: Access) -> list[Any]:
    """Dependencies by which the OpenAPI document tells of keys, where they are asked for."""
    return [Depends(HTTPBearer(auto_error=False))] if access.required else []
