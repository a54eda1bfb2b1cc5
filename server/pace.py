"""How fast a queue drains, as measured: what `Retry-After` is made of. Pure."""

import math
from typing import final

MEMORY_S = 10.0  # a second counts half as much after 7 more of them
LONGEST_S = 60.0  # nobody is told to wait for longer; a client should ask again by then


@final
class Pace:
    """Departures per second while every slot was taken, recent seconds counting most."""

    def __init__(self, departures_per_s: float) -> None:
        """departures_per_s: what is believed at first; it weighs as much as one second."""
        self._seconds = 1.0
        self._departures = departures_per_s

    def saw(self, departures: int, seconds: float) -> None:
        """So many departures in these seconds, in which every slot was taken."""
        kept = math.exp(-seconds / MEMORY_S)
        self._seconds = self._seconds * kept + seconds
        self._departures = self._departures * kept + departures

    def seconds_for(self, departures: int) -> float:
        """How long so many will take; at most LONGEST_S."""
        if departures * self._seconds >= LONGEST_S * self._departures:
            return LONGEST_S
        return departures * self._seconds / self._departures
