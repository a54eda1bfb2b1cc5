"""Who is next: a queue in which requests take turns, so that a big one does not starve the others.

Pure. Each request has a *line* of its own, first in, first out, and the lines are served in
rotation: one job of the first line, which then goes to the end. So a job that is alone in its
request is next after at most one job of every request that waits when it comes, however many jobs
those have; and where every request has one job, the order is that of arrival.

Everything takes O(log waiting) at most, and cancelled jobs leave nothing behind.
"""

import heapq
import itertools
import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, final

STALE_AT_LEAST = 64  # entries of the heap that are not worth a clean-up

JobT = TypeVar("JobT", bound=Hashable)


@dataclass(frozen=True)
class _Place:
    request: Hashable
    deadline_s: float


@final
class FairQueue(Generic[JobT]):
    """Jobs by request, in rotation, each with a deadline (may be infinite)."""

    def __init__(self) -> None:
        self._places: dict[JobT, _Place] = {}
        self._lines: OrderedDict[Hashable, OrderedDict[JobT, None]] = OrderedDict()
        # Of (deadline, number, job); those that left the queue otherwise are dropped when met.
        self._deadlines: list[tuple[float, int, JobT]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def deadlines_kept(self) -> int:
        """Deadlines in memory, those of jobs that are gone included."""
        return len(self._deadlines)

    def __contains__(self, job: object) -> bool:
        return job in self._places

    def __iter__(self) -> Iterator[JobT]:
        """Jobs, line by line."""
        return itertools.chain.from_iterable(self._lines.values())

    def push(self, job: JobT, request: Hashable, deadline_s: float) -> None:
        """Put a job at the end of its request's line; a new line comes last in the rotation."""
        self._places[job] = _Place(request, deadline_s)
        self._lines.setdefault(request, OrderedDict())[job] = None
        if deadline_s < math.inf:
            heapq.heappush(self._deadlines, (deadline_s, next(self._numbers), job))

    def pop(self) -> JobT:
        """Take the next job. Raises: StopIteration if there is none."""
        request, line = next(iter(self._lines.items()))
        job, _ = line.popitem(last=False)
        if line:
            self._lines.move_to_end(request)
        else:
            del self._lines[request]
        del self._places[job]
        self._drop_stale()
        return job

    def remove(self, job: JobT) -> bool:
        """Forget a job. False: it was not here."""
        place = self._places.pop(job, None)
        if place is None:
            return False
        line = self._lines[place.request]
        del line[job]
        if not line:
            del self._lines[place.request]
        self._drop_stale()
        return True

    def holds_other_than(self, request: Hashable) -> bool:
        """Whether a job of any other request waits."""
        return len(self._lines) > (request in self._lines)

    def pop_late(self, now_s: float) -> list[JobT]:
        """Take the jobs whose deadline has passed, the earliest first."""
        late: list[JobT] = []
        while self._deadlines and self._deadlines[0][0] <= now_s:
            job = heapq.heappop(self._deadlines)[2]
            if job in self._places:
                self.remove(job)
                late.append(job)
        return late

    def limit_deadlines(self, deadline_s: float) -> None:
        """Let no job wait past `deadline_s`. O(waiting); for the end of a server only."""
        self._places = {
            job: _Place(place.request, min(place.deadline_s, deadline_s))
            for job, place in self._places.items()
        }
        self._rebuild()

    def clear(self) -> tuple[JobT, ...]:
        """Take everything."""
        jobs = tuple(self)
        self._places.clear()
        self._lines.clear()
        self._deadlines.clear()
        return jobs

    def _drop_stale(self) -> None:
        """Clean the heap when most of it is jobs that are gone: constant per job, over time."""
        if len(self._deadlines) > STALE_AT_LEAST + 2 * len(self._places):
            self._rebuild()

    def _rebuild(self) -> None:
        self._deadlines = [
            (place.deadline_s, next(self._numbers), job)
            for job, place in self._places.items()
            if place.deadline_s < math.inf
        ]
        heapq.heapify(self._deadlines)
