"""Batches as they go over the wire."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from server.batches.store import BatchRow, BatchState
from server.schemas import Problem, SolveAnswer

LONGEST_CUSTOM_ID = 64  # characters


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BatchCounts(_Wire):
    """Lines that are not blank; those with a result are `answered`."""

    total: int
    answered: int = Field(description="Lines in the results: solved, unsolved and invalid ones.")
    solved: int
    unsolved: int
    invalid: int = Field(description="Lines that got a problem in place of an answer.")


class Batch(_Wire):
    """A batch and how far it is."""

    id: str
    name: str | None
    state: BatchState
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime = Field(description="When it is deleted, if it has ended by then.")
    counts: BatchCounts
    problem: Problem | None = Field(description="Why it failed, if it did.")

    @classmethod
    def of(cls, row: BatchRow) -> "Batch":
        """The wire form of a stored batch."""
        done = row.progress
        return cls(
            id=row.id,
            name=row.name,
            state=row.state,
            created_at=_time(row.created_ms),
            started_at=None if row.started_ms is None else _time(row.started_ms),
            ended_at=None if row.ended_ms is None else _time(row.ended_ms),
            expires_at=_time(row.expires_ms),
            counts=BatchCounts(
                total=row.total,
                answered=done.answered,
                solved=done.solved,
                unsolved=done.unsolved,
                invalid=done.invalid,
            ),
            problem=None if row.problem is None else Problem.model_validate_json(row.problem),
        )


class BatchPage(_Wire):
    """Batches, newest first; `next` is the `after` of the page that follows, if any does."""

    batches: list[Batch]
    next: str | None


class BatchLine(_Wire):
    """One line of the results: `line` counts the upload's lines from 1, blank ones included."""

    custom_id: str
    line: int
    result: SolveAnswer | None = None
    problem: Problem | None = None


Outcome = Literal["solved", "unsolved", "invalid"]


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
