"""Which error gets which HTTP status: the only place that knows. Bodies are RFC 9457 problems."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from puzzles.arc_task import InvalidTaskError
from puzzles.errors import InvalidGridError, UnknownKindError, UnsupportedShapeError
from server.batches import errors as batches
from server.choice import NotServedError, UnknownModelError
from server.disk import StorageError
from server.effort import LimitExceededError
from server.loaded import ReloadFailedError, ReloadRunningError
from server.metrics import Metrics
from server.problem_class import ProblemClass
from server.request_context import current_request_uri
from server.scheduler import QueueFullError
from server.schemas import Problem, ProblemError
from server.security.access import UnauthorizedError
from server.security.problems import SECURITY_PROBLEMS
from server.security.rates import RateLimitedError
from server.solver import DrainingError
from server.tasks import errors as tasks
from server.tasks.catalog import UnknownTaskError
from server.worker import EngineDownError, EngineFailedError, WorkerClosedError

# Which of the two forms of a request to solve was meant; never part of a field's name.
PUZZLE_FORM, TASK_FORM = "puzzle form", "task form"
MEDIA_TYPE = "application/problem+json"
NO_FIELDS = frozenset({"body", PUZZLE_FORM, TASK_FORM})
LONGEST_DETAIL = 500  # characters; a client's own junk is not sent back in full
MOST_ERRORS = 100


class BodyTooLargeError(Exception):
    """A request body above the limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than {limit_bytes} bytes")


class BodyTooSlowError(Exception):
    """A request body that did not arrive in time."""

    def __init__(self, limit_seconds: float) -> None:
        super().__init__(f"the body did not arrive within {limit_seconds:g} seconds")


class TooManyItemsError(Exception):
    """A batch above the limit."""

    def __init__(self, items: int, limit: int) -> None:
        super().__init__(f"{items} items, this server takes up to {limit} in one batch")


class NotJsonError(Exception):
    """A body whose content type is not JSON."""

    def __init__(self) -> None:
        super().__init__("send the body as Content-Type: application/json")


INVALID_JSON = ProblemClass(HTTPStatus.BAD_REQUEST, "invalid_json", "The body is not JSON")
INTERNAL = ProblemClass(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "A bug in the server")
INVALID_REQUEST = ProblemClass(
    HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "The request is not what it should be"
)
UNSUPPORTED_MEDIA_TYPE = ProblemClass(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is not JSON"
)

BY_ERROR: Mapping[type[Exception], ProblemClass] = {
    RequestValidationError: INVALID_REQUEST,
    ValidationError: INVALID_REQUEST,
    LimitExceededError: INVALID_REQUEST,
    UnknownKindError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_kind", "No such kind of puzzle"
    ),
    UnsupportedShapeError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "unsupported_shape", "No puzzle of this size"
    ),
    InvalidGridError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_grid", "The grid is malformed or contradictory"
    ),
    NotServedError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "not_served", "No bundle for this puzzle is loaded"
    ),
    UnknownModelError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_model", "No model of this name is loaded"
    ),
    ReloadRunningError: ProblemClass(
        HTTPStatus.CONFLICT, "reload_running", "Bundles are being reloaded already"
    ),
    ReloadFailedError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "reload_failed", "The bundles could not be reloaded"
    ),
    InvalidTaskError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_task", "The task is not what it should be"
    ),
    UnknownTaskError: ProblemClass(
        HTTPStatus.NOT_FOUND, "unknown_task", "Nobody here knows this task"
    ),
    tasks.AdaptationUnavailableError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "adaptation_unavailable", "This server cannot learn tasks"
    ),
    tasks.AdaptationFailedError: ProblemClass(
        HTTPStatus.INTERNAL_SERVER_ERROR, "adaptation_failed", "The task could not be learnt"
    ),
    tasks.AdaptationQueueFullError: ProblemClass(
        HTTPStatus.TOO_MANY_REQUESTS, "adaptations_waiting", "Too many tasks wait to be learnt"
    ),
    tasks.TaskNotReadyError: ProblemClass(
        HTTPStatus.CONFLICT, "task_not_ready", "The task is not learnt"
    ),
    tasks.TaskInBundleError: ProblemClass(
        HTTPStatus.CONFLICT, "task_in_bundle", "The task cannot be removed"
    ),
    NotJsonError: UNSUPPORTED_MEDIA_TYPE,
    BodyTooLargeError: ProblemClass(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The body is too large"
    ),
    BodyTooSlowError: ProblemClass(
        HTTPStatus.REQUEST_TIMEOUT, "body_too_slow", "The body took too long to arrive"
    ),
    TooManyItemsError: ProblemClass(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_items", "The batch has too many items"
    ),
    QueueFullError: ProblemClass(
        HTTPStatus.TOO_MANY_REQUESTS, "overloaded", "Too many puzzles are waiting"
    ),
    DrainingError: ProblemClass(
        HTTPStatus.SERVICE_UNAVAILABLE, "draining", "The server is shutting down"
    ),
    WorkerClosedError: ProblemClass(
        HTTPStatus.SERVICE_UNAVAILABLE, "stopped", "The server stopped before the answer"
    ),
    EngineFailedError: ProblemClass(
        HTTPStatus.INTERNAL_SERVER_ERROR, "engine_failed", "A supervision step failed"
    ),
    EngineDownError: ProblemClass(
        HTTPStatus.SERVICE_UNAVAILABLE, "engine_down", "Supervision steps fail at present"
    ),
    batches.UnknownBatchError: ProblemClass(
        HTTPStatus.NOT_FOUND, "unknown_batch", "There is no such batch"
    ),
    batches.NotJsonLinesError: UNSUPPORTED_MEDIA_TYPE,
    batches.UnknownEncodingError: ProblemClass(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", "The body cannot be unpacked"
    ),
    batches.DamagedUploadError: ProblemClass(
        HTTPStatus.BAD_REQUEST, "damaged_upload", "The body is not what it says that it is"
    ),
    batches.EmptyBatchError: ProblemClass(
        HTTPStatus.UNPROCESSABLE_ENTITY, "empty_batch", "The batch has no request to solve"
    ),
    batches.LineTooLongError: ProblemClass(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "line_too_long", "A line of the batch is too long"
    ),
    batches.KeyReusedError: ProblemClass(
        HTTPStatus.CONFLICT, "idempotency_key_reused", "The Idempotency-Key is another batch's"
    ),
    batches.LineNotJsonError: ProblemClass(
        HTTPStatus.BAD_REQUEST, "invalid_json", "The line is not JSON"
    ),
    batches.NotAnObjectError: INVALID_REQUEST,
    batches.CustomIdError: INVALID_REQUEST,
    batches.RangeNotSatisfiableError: ProblemClass(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "no_such_range", "Nothing is there yet"
    ),
    **SECURITY_PROBLEMS,
    StorageError: ProblemClass(
        HTTPStatus.INSUFFICIENT_STORAGE, "storage_failed", "The disk refuses to write or read"
    ),
}


def problem_classes() -> dict[str, ProblemClass]:
    """Every kind of problem by its code, those of the web framework left out."""
    return {kind.code: kind for kind in (*BY_ERROR.values(), INVALID_JSON, INTERNAL)}


def documented_problems() -> dict[int | str, dict[str, Any]]:
    """Every status of a problem with its codes, for the OpenAPI document."""
    kinds = problem_classes()
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status.value: {
            "description": ", ".join(f"`{k.code}`" for k in kinds.values() if k.status is status),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in sorted({kind.status for kind in kinds.values()})
    }


def problem_of(error: Exception) -> Problem:
    """What a client is told of an error; an error that nobody foresaw tells nothing of itself."""
    if isinstance(error, RequestValidationError) and _is_broken_json(error):
        return _problem(INVALID_JSON, str(error.errors()[0]["ctx"]["error"]))
    if isinstance(error, HTTPException):
        return _problem(_framework_problem(HTTPStatus(error.status_code)), error.detail)
    if type(error) not in BY_ERROR:
        return _problem(INTERNAL, "the server's log has more")
    return _problem(BY_ERROR[type(error)], _detail(error), _listed(error))


def respond(error: Exception, metrics: Metrics) -> Response:
    """Answer a request with its error, and count it."""
    problem = problem_of(error).model_copy(update={"instance": current_request_uri()})
    metrics.request(problem.code)
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException) and error.headers:
        headers.update(error.headers)  # Allow, of a wrong method
    if isinstance(error, QueueFullError | EngineDownError | RateLimitedError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, batches.RangeNotSatisfiableError):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = error.challenge
    if isinstance(error, BodyTooSlowError):
        headers["Connection"] = "close"
    return Response(problem.model_dump_json(exclude_none=True), problem.status, headers, MEDIA_TYPE)


def _framework_problem(status: HTTPStatus) -> ProblemClass:
    """What the web framework itself refuses: unknown paths, wrong methods, undecodable bodies."""
    if status is HTTPStatus.BAD_REQUEST:  # the only one that FastAPI makes: bytes that are no JSON
        return INVALID_JSON
    return ProblemClass(status, status.phrase.lower().replace(" ", "_"), status.phrase)


def _is_broken_json(error: RequestValidationError) -> bool:
    return any(found["type"] == "json_invalid" for found in error.errors())


def _detail(error: Exception) -> str:
    if not isinstance(error, RequestValidationError | ValidationError):
        return str(error)
    return "; ".join(_in_words(found) for found in _validation_errors(error))


def _listed(error: Exception) -> list[ProblemError] | None:
    """The single faults of an error that may have several, for `errors`."""
    if isinstance(error, InvalidGridError):
        return [
            ProblemError(detail=_clean(fault.message), row=fault.row, column=fault.column)
            for fault in error.problems[:MOST_ERRORS]
        ]
    if isinstance(error, InvalidTaskError):
        return [
            ProblemError(
                detail=_clean(fault.message), row=fault.row, column=fault.column, field=error.place
            )
            for fault in error.problems[:MOST_ERRORS]
        ]
    if isinstance(error, LimitExceededError):
        return [ProblemError(detail=str(error), field=error.field)]
    if isinstance(error, RequestValidationError | ValidationError):
        return _validation_errors(error)
    return None


def _validation_errors(error: RequestValidationError | ValidationError) -> list[ProblemError]:
    faults = []
    for found in error.errors()[:MOST_ERRORS]:
        place = ".".join(str(part) for part in found["loc"] if part not in NO_FIELDS)
        faults.append(ProblemError(detail=_clean(found["msg"]), field=_clean(place) or None))
    return faults


def _in_words(fault: ProblemError) -> str:
    return f"{fault.field}: {fault.detail}" if fault.field else fault.detail


def _problem(kind: ProblemClass, detail: str, errors: list[ProblemError] | None = None) -> Problem:
    return Problem(
        type=f"urn:ponder:problem:{kind.code}",
        title=kind.title,
        status=kind.status,
        code=kind.code,
        detail=_clean(detail),
        errors=errors,
    )


def _clean(text: str) -> str:
    """Short enough to send back, and free of lone surrogates, which no encoding can write."""
    if len(text) > LONGEST_DETAIL:
        text = f"{text[:LONGEST_DETAIL]}…"
    return text.encode("utf-8", "replace").decode()
