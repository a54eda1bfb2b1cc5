"""The id of the request that is being handled, wherever code runs on its behalf."""

import re
import secrets
from contextvars import ContextVar
from urllib.parse import quote

HEADER = "X-Request-ID"
LONGEST_ID = 128  # characters

_SANE = re.compile(rb"[!-~]{1,%d}" % LONGEST_ID)  # visible ASCII
_REQUEST_ID: ContextVar[str | None] = ContextVar("ponder_request_id", default=None)


def begin_request(given: bytes | None) -> str:
    """Name the request of this context, as its client did if that name is sane."""
    sane = given is not None and _SANE.fullmatch(given) is not None
    request_id = given.decode("ascii") if sane and given else secrets.token_hex(16)
    _REQUEST_ID.set(request_id)
    return request_id


def current_request_id() -> str | None:
    """The request that the caller works for; None if for none, as at start or in a batch."""
    return _REQUEST_ID.get()


def current_request_uri() -> str | None:
    """The same as a URI, for problems; an id may be any visible characters."""
    request_id = current_request_id()
    return None if request_id is None else f"urn:ponder:request:{quote(request_id, safe='')}"
