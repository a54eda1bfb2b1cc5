"""Who sent a request, and whether they may do what it asks for."""

from dataclasses import dataclass
from typing import Literal

from fastapi import Request

from server.security.addresses import is_local

Role = Literal["user", "admin"]
CALLER = "ponder.caller"  # where a request's scope has its Caller


class AdminOnlyError(Exception):
    """A client that may not change how the server serves."""


@dataclass(frozen=True)
class Caller:
    """Whose key a request has; `name` is the key's."""

    name: str
    role: Role


async def require_admin(request: Request) -> None:
    """A dependency of endpoints that change how the server serves. Raises: AdminOnlyError.

    Where keys are asked for, an admin's is needed; where they are not, the request must begin on
    the server's machine and come through no proxy. (So a test client without keys needs
    `TestClient(app, client=("127.0.0.1", 1))`.)
    """
    caller = request.scope.get(CALLER)
    if isinstance(caller, Caller):
        if caller.role != "admin":
            raise AdminOnlyError(f"the key {caller.name} is a user's; an admin's is needed")
    elif not is_local(request.scope):
        raise AdminOnlyError("without API keys only the server's own machine may do this")
