"""Applications that differ in who may do what, around one solver that nobody starts."""

from collections.abc import Callable
from pathlib import Path

from fastapi import Depends
from pydantic import SecretStr
from starlette.testclient import TestClient

from server.app import create_app
from server.batches.service import Batches
from server.loading import load_solver
from server.security.access import require_admin
from server.security.opening import open_access
from server.settings import Settings
from server.solver import Solver

USER = "ponder_user-0123456789abcdef"
ADMIN = "ponder_admin-0123456789abcdef"
KEYS = f"alice user {USER}\nroot admin {ADMIN}"
LOCAL = ("127.0.0.1", 50000)
FAR = ("192.0.2.7", 50000)
ASKED = {"kind": "sudoku", "grid": "1" + 15 * "."}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def tiny_solver(bundle: Path) -> Solver:
    return load_solver(Settings(bundles=(bundle,), threads=1, batch_limit=50, queue_limit=50))


def app_client(
    solver: Solver,
    *,
    keys: str | None = None,
    client: tuple[str, int] = LOCAL,
    url: str = "http://127.0.0.1:8000",
    clock: Callable[[], float] = lambda: 0.0,
    batches: Batches | None = None,
    **changed: object,
) -> TestClient:
    """A client of an application whose settings have these keys, and an admin's endpoint.

    The client does not start the solver, so that an application is made in no time.
    """
    secret = None if keys is None else SecretStr(keys)
    settings = Settings.model_validate({"api_keys": secret, **changed})
    opened = open_access(settings, clock, lambda count: b"\7" * count)
    app = create_app(solver, settings, batches, access=opened.access)

    async def administer() -> str:
        return "done"

    app.add_api_route(
        "/v1/administer", administer, methods=["POST"], dependencies=[Depends(require_admin)]
    )
    return TestClient(app, base_url=url, client=client)
