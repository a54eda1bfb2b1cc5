"""A client of a ponder server: `Ponder`, and `AsyncPonder` for event loops (docs/client.md)."""

from client.async_client import AsyncPonder
from client.batch_schemas import Batch, BatchLine
from client.errors import (
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    PonderError,
    ProblemError,
    ResultsMismatchError,
    TimedOutError,
)
from client.retrying import NO_RETRIES, Retries
from client.schemas import Problem, Solved, Started, Step
from client.sync_client import Ponder
from client.task_schemas import Task, TaskAnswer
from client.wire import TimeLimits

__all__ = [
    "NO_RETRIES",
    "AsyncPonder",
    "Batch",
    "BatchLine",
    "ConnectionFailedError",
    "InvalidInputError",
    "MalformedResponseError",
    "Ponder",
    "PonderError",
    "Problem",
    "ProblemError",
    "ResultsMismatchError",
    "Retries",
    "Solved",
    "Started",
    "Step",
    "Task",
    "TaskAnswer",
    "TimeLimits",
    "TimedOutError",
]
