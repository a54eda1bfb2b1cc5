"""Who sent a request, and whether they may do what it asks for."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import final

from fastapi import Request
from starlette.types import Scope

from server.metrics import Metrics
from server.security.addresses import is_local, site
from server.security.keys import NOBODY, ApiKey, KeyFileError, KeyRing, Role
from server.security.rates import Buckets, Rate, RateLimitedError

log = logging.getLogger(__name__)

CALLER = "ponder.caller"  # where a request's scope has its Caller
_SCHEME = b"bearer"


class UnauthorizedError(Exception):
    """A request without a key where one is asked for, or with one that is unknown."""

    def __init__(self, *, presented: bool) -> None:
        """presented: whether there was a key at all."""
        how = "send a key as Authorization: Bearer KEY"
        super().__init__("nobody here knows this key" if presented else how)
        self.challenge = 'Bearer error="invalid_token"' if presented else "Bearer"  # RFC 6750, 3


class AdminOnlyError(Exception):
    """A client that may not change how the server serves."""


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    name: the key's, or `none`. role: None without a key. account: whose puzzles count together,
    the key or an address, at most at this rate.
    """

    name: str
    role: Role | None
    account: str
    rate: Rate | None


_ANYBODY = Caller(NOBODY, None, NOBODY, None)


@final
class Access:
    """The keys of now, and what each client has used of its rate."""

    def __init__(
        self,
        read: Callable[[], Iterable[ApiKey]],
        *,
        required: bool,
        rate: Rate | None,
        clock: Callable[[], float],
    ) -> None:
        """read: the keys as they are configured now. rate: of a key without its own, of an address.

        Raises: KeyFileError.
        """
        self.required = required
        self._read = read
        self._rate = rate
        self._buckets = Buckets(clock)
        self._ring = KeyRing(())
        if required:
            self.reload()

    def reload(self) -> None:
        """Read the keys again, for requests from now on; the old ones stay if that fails.

        Raises: KeyFileError.
        """
        if not self.required:
            return
        ring = KeyRing(self._read())
        if not len(ring):
            raise KeyFileError("keys are asked for, and there is not a single one")
        self._ring = ring
        log.info("keys read", extra={"keys": len(ring)})

    def identify(self, scope: Scope, *, need_key: bool) -> Caller:
        """Who sent a request. Raises: UnauthorizedError if it needs a key, and has none of ours."""
        if not (self.required and need_key):
            if self._rate is None:
                return _ANYBODY
            return Caller(NOBODY, None, site(scope), self._rate)
        secret = _bearer(scope)
        key = None if secret is None else self._ring.find(secret)
        if key is None:
            raise UnauthorizedError(presented=secret is not None)
        return Caller(key.name, key.role, key.name, key.rate or self._rate)

    def take(self, caller: Caller, puzzles: int) -> None:
        """Let so many puzzles in. Raises: RateLimitedError."""
        if caller.rate is not None:
            self._buckets.take(caller.account, caller.rate, puzzles)

    def charge(self, caller: Caller, puzzles: int) -> None:
        """Count puzzles that were let in before their number was known."""
        if caller.rate is not None:
            self._buckets.charge(caller.account, caller.rate, puzzles)


async def require_admin(request: Request) -> None:
    """A dependency of endpoints that change how the server serves.

    Where keys are asked for, an admin's is needed; where they are not, the request must begin on
    the server's machine and come through no proxy. (So a test client without keys needs
    `TestClient(app, client=("127.0.0.1", 1))`.)
    Raises: AdminOnlyError, UnauthorizedError.
    """
    caller, access = caller_of(request.scope), access_of(request)
    if caller.role == "user":
        raise AdminOnlyError(f"the key {caller.name} is a user's; an admin's is needed")
    if caller.role is None and access.required:
        raise UnauthorizedError(presented=False)
    if caller.role is None and not is_local(request.scope):
        raise AdminOnlyError("without API keys only the server's own machine may do this")


def take_puzzles(request: Request, metrics: Metrics, puzzles: int) -> None:
    """Count puzzles that a request brings beside its first. Raises: RateLimitedError."""
    if puzzles > 0:
        let_in(access_of(request), caller_of(request.scope), metrics, puzzles)


def charge_puzzles(request: Request, metrics: Metrics, puzzles: int) -> None:
    """Count puzzles of a request that was let in before their number was known."""
    if puzzles > 0:
        caller = caller_of(request.scope)
        access_of(request).charge(caller, puzzles)
        metrics.key_puzzles(caller.name, puzzles)


def let_in(access: Access, caller: Caller, metrics: Metrics, puzzles: int) -> None:
    """Count so many puzzles of a caller. Raises: RateLimitedError."""
    try:
        access.take(caller, puzzles)
    except RateLimitedError:
        metrics.key_limited(caller.name)
        raise
    metrics.key_puzzles(caller.name, puzzles)


def caller_of(scope: Scope) -> Caller:
    """Who sent a request; `Gate` has seen to it."""
    caller = scope[CALLER]
    assert isinstance(caller, Caller)
    return caller


def access_of(request: Request) -> Access:
    """The application's."""
    access = request.app.state.access
    assert isinstance(access, Access)
    return access


def _bearer(scope: Scope) -> bytes | None:
    """The one key of a request; None if it has none, or several."""
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(found) != 1:
        return None
    scheme, _, secret = found[0].partition(b" ")
    return secret.strip() or None if scheme.lower() == _SCHEME else None
