"""Between our words and those of httpx2: requests, replies, errors. What both clients share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import httpx2

from client.errors import (
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    TimedOutError,
)
from client.requests import Call
from client.responses import Reply

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE, KEY_VARIABLE = "PONDER_URL", "PONDER_API_KEY"


@dataclass(frozen=True)
class TimeLimits:
    """Seconds. read_s: for an answer, or for the next part of one; a hard puzzle takes a while.

    connect_s: for a connection, or for a free one of the pool. write_s: for a part of a request.
    """

    connect_s: float = 5.0
    read_s: float = 600.0
    write_s: float = 60.0


TIME_LIMITS = TimeLimits()


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def http_options(base_url: str | None, api_key: str | None, limits: TimeLimits) -> dict[str, Any]:
    """What httpx2's clients are made with; what is None comes from the environment.

    Raises: InvalidInputError.
    """
    url = base_url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    key = api_key or os.environ.get(KEY_VARIABLE)
    with typed_errors():
        parsed = httpx2.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidInputError(f"{url!r} is no URL of a server, as {DEFAULT_URL} is one")
    headers = {"User-Agent": f"ponder-client/{metadata.version('ponder')}"}
    if key is not None:
        if not (key.isascii() and key.isprintable()):
            raise InvalidInputError("the API key has characters that no header can hold")
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": parsed, "headers": headers, "timeout": _timeout(limits, limits.read_s)}


def request_options(call: Call, limits: TimeLimits) -> dict[str, Any]:
    """What httpx2's `build_request` is given, but for the body."""
    read_s = limits.read_s if call.read_s is None else call.read_s
    return {
        "method": call.method,
        "url": call.path,
        "params": dict(call.params),
        "headers": dict(call.headers),
        "timeout": _timeout(limits, read_s),
    }


def reply_of(response: httpx2.Response, content: bytes = b"") -> Reply:
    """The same without httpx2."""
    return Reply(response.status_code, dict(response.headers), content)


@contextmanager
def typed_errors() -> Iterator[None]:
    """Errors of httpx2 become ours. Raises: all of them but ProblemError."""
    try:
        yield
    except (httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise TimedOutError(f"no connection in time: {error}", sent=False) from error
    except httpx2.TimeoutException as error:
        raise TimedOutError(f"no answer in time: {error}") from error
    except httpx2.ConnectError as error:
        raise ConnectionFailedError(f"cannot connect: {error}", sent=False) from error
    except (httpx2.SSEError, httpx2.DecodingError) as error:
        raise MalformedResponseError(str(error)) from error
    except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        raise InvalidInputError(str(error)) from error
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"no header can hold {error.object!r}") from error
    except (httpx2.TransportError, httpx2.StreamError) as error:
        raise ConnectionFailedError(f"the connection broke: {error}", sent=True) from error


def _timeout(limits: TimeLimits, read_s: float) -> httpx2.Timeout:
    return httpx2.Timeout(
        connect=limits.connect_s, read=read_s, write=limits.write_s, pool=limits.connect_s
    )
