"""What is asked, as HTTP, before anything is sent. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict
from urllib.parse import quote

from client.encoding import (
    AskedGrid,
    AskedPuzzle,
    Pair,
    SolveOptions,
    given,
    json_bytes,
    plain_pairs,
    plain_rows,
    puzzle_request,
)
from client.errors import InvalidInputError
from client.uploads import SentProgress, Upload, file_upload, lines_upload

JSON, NDJSON, EVENTS = "application/json", "application/x-ndjson", "text/event-stream"

Method = Literal["GET", "POST", "DELETE"]


class TaskOptions(TypedDict, total=False):
    """What may be said of questions of a task."""

    views: int | None
    max_steps: int | None
    deadline_ms: int | None
    model: str | None


class RegisterOptions(TypedDict, total=False):
    """What may be said of a new task: for people, and how it is learnt if nobody knows it."""

    name: str | None
    minutes: float | None
    tries: int | None
    side: int | None
    what: Literal["network", "embedding"] | None


class SubmitOptions(TypedDict, total=False):
    """How a batch is handed in. progress: told how many bytes of the source have been sent.

    idempotency_key: stands for this batch; handing it in again with it makes no second one.
    """

    name: str | None
    gzip: bool
    idempotency_key: str | None
    progress: SentProgress | None


# A file of JSON lines (.gz or not), or puzzles.
BatchSource: TypeAlias = str | PathLike[str] | Iterable[AskedPuzzle]


@dataclass(frozen=True)
class Call:
    """One request. repeatable: asking twice does no more than asking once.

    read_s: how long the answer, or the next part of it, may take; None leaves it to the client.
    """

    method: Method
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Upload | None = None
    repeatable: bool = True
    read_s: float | None = None


MODELS = Call("GET", "/v1/models")
ENGINE = Call("GET", "/v1/engine")
READY = Call("GET", "/readyz")
TASKS = Call("GET", "/v1/tasks")


def solve_call(grid: AskedGrid, options: SolveOptions, *, accept: str = JSON) -> Call:
    """Solve one puzzle, all at once or as events."""
    return _json_call("/v1/solve", puzzle_request(grid, options), accept)


def batch_call(items: Sequence[Any]) -> Call:
    """Solve puzzles, answered line by line as they come."""
    return _json_call("/v1/solve/batch", {"items": items}, NDJSON)


def solve_task_call(
    test: Iterable[AskedGrid],
    task: str | None,
    train: Iterable[Pair] | None,
    options: TaskOptions,
) -> Call:
    """Answer questions of a task. Raises: InvalidInputError unless it is told by one of the two."""
    if (task is None) == (train is None):
        raise InvalidInputError("give either `task`, an id, or `train`, demonstrations")
    body: dict[str, Any] = {"kind": "arc", "test": [plain_rows(grid) for grid in test]}
    body |= {"task": task} if train is None else {"train": plain_pairs(train)}
    return _json_call("/v1/solve", body | given(options))


def register_call(train: Iterable[Pair], options: RegisterOptions) -> Call:
    """Make a task known."""
    return _json_call("/v1/tasks", {"train": plain_pairs(train)} | given(options))


def submit_call(
    source: BatchSource, puzzle: SolveOptions, options: SubmitOptions, new_key: Callable[[], str]
) -> Call:
    """Hand a batch in. It may be sent again for its key, which is a new one unless it is given.

    Raises: InvalidInputError.
    """
    gzip, progress = options.get("gzip", False), options.get("progress")
    if isinstance(source, str | PathLike):
        if said := given(puzzle):
            wrong = f"{source}: its requests say themselves how they are to be solved"
            raise InvalidInputError(f"{wrong}; {', '.join(said)} cannot be given")
        upload = file_upload(Path(source), gzip=gzip, progress=progress)
    else:
        upload = lines_upload(source, puzzle, gzip=gzip, progress=progress)
    key = options.get("idempotency_key") or new_key()
    return Call(
        "POST",
        "/v1/batches",
        params=given({"name": options.get("name")}),
        headers={**upload.headers, "Idempotency-Key": key},
        body=upload,
        repeatable=upload.rewindable,
    )


def results_call(batch_id: str, start_byte: int) -> Call:
    """The results of a batch from a byte on."""
    headers = {"Accept-Encoding": "identity"}  # a range of packed bytes would be of no use
    if start_byte:
        headers["Range"] = f"bytes={start_byte}-"
    return Call("GET", f"{_batch(batch_id)}/results", headers=headers)


def state_call(batch_id: str) -> Call:
    """A batch and how far it is."""
    return Call("GET", _batch(batch_id))


def cancel_call(batch_id: str) -> Call:
    """End a batch."""
    return Call("POST", f"{_batch(batch_id)}/cancel")


def delete_call(batch_id: str) -> Call:
    """End a batch and forget it."""
    return Call("DELETE", _batch(batch_id))


def list_call(limit: int, after: str | None) -> Call:
    """A page of batches."""
    params: dict[str, str | int] = {"limit": limit}
    return Call("GET", "/v1/batches", params=params if after is None else params | {"after": after})


def task_call(task_id: str, method: Method = "GET") -> Call:
    """A task: what is known of it, or forget it."""
    return Call(method, f"/v1/tasks/{_quoted(task_id)}")


def _batch(batch_id: str) -> str:
    return f"/v1/batches/{_quoted(batch_id)}"


def _quoted(identifier: str) -> str:
    """An id as one part of a path. Raises: InvalidInputError if it cannot be one."""
    if identifier in ("", ".", ".."):
        raise InvalidInputError(f"{identifier!r} is no id")
    return quote(identifier, safe="")


def _json_call(path: str, body: object, accept: str = JSON) -> Call:
    headers = {"Content-Type": JSON, "Accept": accept}
    return Call("POST", path, headers=headers, body=json_bytes(body))
