"""What a server answers about batches."""

from datetime import datetime
from typing import Literal

from client.schemas import Answer, Problem, Solved

BatchState = Literal["queued", "running", "done", "cancelled", "failed"]


class BatchCounts(Answer):
    """Lines that are not blank; those with a result are `answered`."""

    total: int
    answered: int
    solved: int
    unsolved: int
    invalid: int


class Batch(Answer):
    """A batch and how far it is."""

    id: str
    name: str | None
    state: BatchState
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime
    counts: BatchCounts
    problem: Problem | None = None

    @property
    def has_ended(self) -> bool:
        """Whether no more results will come."""
        return self.state in ("done", "cancelled", "failed")


class BatchPage(Answer):
    """Batches, newest first; `next` is the `after` of the page that follows, if any does."""

    batches: tuple[Batch, ...]
    next: str | None = None


class BatchLine(Answer):
    """The result of one line of a batch: one of `result` and `problem`."""

    custom_id: str
    line: int
    result: Solved | None = None
    problem: Problem | None = None
