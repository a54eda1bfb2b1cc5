"""Who sits in the slots: what the scheduler remembers of a job, and of each of its rows."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, final

from server.plan import FRESH, JobT, PlannedRow
from server.policy import Budget, Spent


@dataclass
class Entry(Generic[JobT]):
    """A job's state while it waits or works.

    attempts: begun; steps: of all its rows; over: attempts that ended, to be told to the next.
    """

    request: Hashable
    budget: Budget
    arrived_s: float
    background: bool
    alone: bool
    attempts: int = 0
    steps: int = 0
    started_s: float | None = None
    rows: list["Row[JobT]"] = field(default_factory=list)
    over: list[int] = field(default_factory=list)

    def spent(self, row: "Row[JobT] | None" = None) -> Spent:
        """By one of its rows, or by one that never began."""
        return Spent(self.attempts, row.steps if row else 0, self.steps)


@dataclass(eq=False, slots=True)
class Row(Generic[JobT]):
    """An attempt of a job. seated: whether it has a slot still."""

    job: JobT
    entry: Entry[JobT]
    attempt: int
    steps: int = 0
    source: int = FRESH
    seated: bool = True

    def begin_next(self) -> None:
        """The job's next attempt, in the slot of one that ended."""
        self.entry.attempts += 1
        self.attempt, self.steps, self.source = self.entry.attempts, 0, FRESH

    def planned(self) -> PlannedRow[JobT]:
        """For the next step; the first row of a job that is fresh is told which are over."""
        if self.source != FRESH:
            return PlannedRow(self.job, self.source, self.attempt)
        over, self.entry.over = tuple(self.entry.over), []
        return PlannedRow(self.job, FRESH, self.attempt, over)


@final
class Slots(Generic[JobT]):
    """The rows in slots, in their order; everything takes constant time."""

    def __init__(self) -> None:
        self._rows: dict[Row[JobT], None] = {}
        self._held: Counter[Hashable] = Counter()  # by request, those that hold any

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row[JobT]]:
        return iter(self._rows)

    @property
    def jobs(self) -> tuple[JobT, ...]:
        """Those that have rows."""
        return tuple(dict.fromkeys(row.job for row in self._rows))

    def held_by(self, request: Hashable) -> int:
        """Rows of a request."""
        return self._held.get(request, 0)

    def begin(self, job: JobT, entry: Entry[JobT]) -> None:
        """The job's next attempt, in a slot of its own."""
        entry.attempts += 1
        row = Row(job, entry, entry.attempts)
        entry.rows.append(row)
        self._rows[row] = None
        self._held[entry.request] += 1

    def leave(self, row: Row[JobT]) -> None:
        """Free the slot of one of a job's rows."""
        entry = row.entry
        entry.rows.remove(row)
        del self._rows[row]
        row.seated = False
        self._held[entry.request] -= 1
        if not self._held[entry.request]:
            del self._held[entry.request]

    def leave_all(self, entry: Entry[JobT]) -> None:
        """Free the slots of all of them."""
        for row in tuple(entry.rows):
            self.leave(row)
