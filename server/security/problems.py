"""`server.errors`' table for what is refused before anybody looks at a puzzle."""

from collections.abc import Mapping
from http import HTTPStatus

from server.problem_class import ProblemClass
from server.security.access import AdminOnlyError, UnauthorizedError
from server.security.errors import HeadTooLargeError, TooManyConnectionsError
from server.security.origins import ForeignHostError, ForeignOriginError
from server.security.rates import RateLimitedError

SECURITY_PROBLEMS: Mapping[type[Exception], ProblemClass] = {
    UnauthorizedError: ProblemClass(
        HTTPStatus.UNAUTHORIZED, "unauthorized", "A key is asked for here"
    ),
    AdminOnlyError: ProblemClass(HTTPStatus.FORBIDDEN, "forbidden", "Not for this client"),
    ForeignOriginError: ProblemClass(
        HTTPStatus.FORBIDDEN, "foreign_origin", "Not for pages of this site"
    ),
    ForeignHostError: ProblemClass(
        HTTPStatus.MISDIRECTED_REQUEST, "unknown_host", "This server has another name"
    ),
    RateLimitedError: ProblemClass(
        HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", "Too many puzzles of one client"
    ),
    HeadTooLargeError: ProblemClass(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "head_too_large",
        "The head of the request is too large",
    ),
    TooManyConnectionsError: ProblemClass(
        HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", "Too many clients are connected"
    ),
}
