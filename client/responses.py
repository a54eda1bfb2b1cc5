"""What a server says, read: results, or the error that they stand for. Pure."""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from client.errors import MalformedResponseError, ProblemError
from client.schemas import Problem

FIRST_ERROR = 300  # statuses from here on are no answer
LONGEST_EXCERPT = 200  # characters of what a proxy says

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Reply:
    """headers: by name in lower case. content: b"" where the body is read as a stream."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""


class LineBuffer:
    """Bytes as they come, as lines; `rest` is what has no end of line yet."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, part: bytes) -> list[bytes]:
        """The lines that `part` ends. Only a line feed ends one: text may hold what else does."""
        *lines, self.rest = (self.rest + part).split(b"\n")
        return lines


def raise_for_problem(reply: Reply, now: datetime) -> None:
    """Raises: ProblemError unless the status is one of success."""
    if reply.status >= FIRST_ERROR:
        raise ProblemError(problem_in(reply), retry_after_s(reply.headers, now))


def problem_in(reply: Reply) -> Problem:
    """The problem document, or one made up for a response that has none."""
    try:
        return Problem.model_validate_json(reply.content)
    except ValidationError:
        said = " ".join(reply.content.decode(errors="replace").split())
        detail = said[:LONGEST_EXCERPT] or "no details"
        return Problem(status=reply.status, code=f"http_{reply.status}", detail=detail)


def read(kind: type[M], content: bytes | str) -> M:
    """Raises: MalformedResponseError."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        said = f"{place}: {fault['msg']}" if place else fault["msg"]
        raise MalformedResponseError(f"the server sent no {kind.__name__}: {said}") from error


def problem_of_event(data: str) -> ProblemError:
    """The problem that ends a stream of events."""
    return ProblemError(problem_in(Reply(500, {}, data.encode())))


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until one may ask again: the header has them, or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
