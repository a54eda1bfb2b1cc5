"""What the scheduler says: the rows of the next supervision step, and who is done."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from server.policy import Finish, Spent

FRESH = -1  # as `source`: the row starts anew

JobT = TypeVar("JobT", bound=Hashable)


class PlannedRow(NamedTuple, Generic[JobT]):
    """One row of a plan: continue row `source` of the previous plan, or begin `attempt` FRESH.

    over: of a fresh row, the attempts of its job that ended since the job last began one.
    """

    job: JobT
    source: int
    attempt: int  # counts from 1
    over: tuple[int, ...] = ()


@dataclass(frozen=True)
class Departure(Generic[JobT]):
    """A job that is done. `row`: its row in the settled plan, None if it never got a slot."""

    job: JobT
    finish: Finish
    spent: Spent
    arrived_s: float
    started_s: float | None
    left_s: float
    row: int | None = None


@dataclass(frozen=True)
class Plan(Generic[JobT]):
    """The rows of the next supervision step, and the jobs whose deadline passed while waiting."""

    rows: tuple[PlannedRow[JobT], ...]
    expired: tuple[Departure[JobT], ...] = ()
