"""Which web pages may ask a server that asks nobody for a key. Pure.

A page of any site can send requests to a server on its reader's machine. It could read answers too
if its own name is made to lead there (DNS rebinding): then `Host` has that name. And it can have
something done without reading the answer (CSRF): then the browser says so in `Sec-Fetch-Site`, or
in `Origin`, which all browsers send with every method but GET and HEAD (Fetch standard, "append a
request `Origin` header"). The second rule is that of Go's http.CrossOriginProtection.
"""

from collections.abc import Set
from typing import final

from starlette.types import Scope

from server.security.addresses import is_loopback

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FROM_HERE = (b"same-origin", b"none")  # none: the reader typed the address


class ForeignHostError(Exception):
    """A request for another host."""

    def __init__(self, host: str) -> None:
        super().__init__(f"this server is not {host!r}; --allowed-hosts names what it is called")


class ForeignOriginError(Exception):
    """A request of another site's page."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"pages of {origin!r} may not do this; --cors-origins names those that may"
        )


@final
class Origins:
    """What a request may say of where it comes from, and whom it asks."""

    def __init__(self, *, hosts: Set[str] | None, origins: Set[str] | None) -> None:
        """hosts: names of this server beside its address and those of loopback; None: any.

        origins: pages that may ask beside those of this server, as `https://a.example`; None: any.
        """
        self._hosts = hosts
        self._origins = origins

    def check(self, scope: Scope) -> None:
        """Raises: ForeignHostError, ForeignOriginError."""
        if self._hosts is None and self._origins is None:
            return
        headers = scope["headers"]
        safe = scope["method"] in _SAFE
        origin = _one(headers, b"origin")
        site = _one(headers, b"sec-fetch-site")
        host = _one(headers, b"host")
        if not safe and origin is None and site is None:
            return  # of no browser
        if self._hosts is not None and host is not None and not self._is_ours(host, scope):
            raise ForeignHostError(_text(host))
        if self._origins is None or safe or site in _FROM_HERE:
            return
        if origin is not None and _text(origin) in self._origins:
            return
        if site is None and origin is not None and origin.partition(b"://")[2] == host:
            return
        raise ForeignOriginError(_text(origin or b"another site"))

    def _is_ours(self, host: bytes, scope: Scope) -> bool:
        name = _text(host).lower()
        if not name.endswith("]"):  # of an IPv6 address without a port
            name = name.rpartition(":")[0] or name
        name = name.strip("[]").rstrip(".")
        server = scope.get("server")
        return (
            name in (self._hosts or ())
            or is_loopback(name)
            or (server is not None and name == server[0])
        )


def _one(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """A header's value; several are joined, and so are none of those that are allowed."""
    found = [value for one, value in headers if one == name]
    return b",".join(found) if found else None


def _text(value: bytes) -> str:
    return value.decode("latin-1")
