"""The lanes that a worker steps: residents, and guests for as long as they have work."""

from collections.abc import Iterable
from typing import final

from server.breaker import Breaker
from server.lane import Lane


@final
class Roster:
    """Lanes, each with its breaker. Changed under the worker's lock, read without it.

    A lane that is no resident is a guest: it came with its first job, or was replaced.
    """

    def __init__(self, residents: Iterable[Lane], probe_seconds: float) -> None:
        """probe_seconds: between the probes of a lane that was given up."""
        self._probe_seconds = probe_seconds
        # Replaced, never changed: the thread and readers of metrics walk over it without the lock.
        self._breakers: dict[Lane, Breaker] = {}
        self.replace(residents)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The residents, and guests that have work."""
        return tuple(self._breakers)

    @property
    def healthy(self) -> bool:
        """Whether every lane works."""
        return not any(breaker.is_open for breaker in self._breakers.values())

    @property
    def has_guests(self) -> bool:
        """Whether any lane is no resident."""
        return len(self._breakers) > len(self._residents)

    def breaker(self, lane: Lane) -> Breaker:
        """Of a lane that is here."""
        return self._breakers[lane]

    def welcome(self, lanes: Iterable[Lane]) -> None:
        """Let lanes in that are not here."""
        new = {lane: Breaker(self._probe_seconds) for lane in lanes if lane not in self._breakers}
        if new:
            self._breakers = self._breakers | new

    def replace(self, residents: Iterable[Lane]) -> None:
        """Have these residents; the others are guests from now on."""
        kept = tuple(residents)
        self._residents = frozenset(kept)
        self.welcome(kept)  # in this order, in which they are stepped

    def forget_guests(self) -> None:
        """Let go of guests without work. Called by the thread that steps them, between steps."""
        self._breakers = {
            lane: breaker
            for lane, breaker in self._breakers.items()
            if lane in self._residents or not lane.scheduler.idle
        }

    def seconds_to_probe(self, now_s: float) -> float | None:
        """When the next lane that was given up is to be tried; None if there is none."""
        return min(
            (b.seconds_to_probe(now_s) for b in self._breakers.values() if b.is_open), default=None
        )
