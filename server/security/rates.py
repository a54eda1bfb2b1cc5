"""How many puzzles a second one client may bring: token buckets, the clock injected. Pure."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

MOST_CLIENTS = 10_000  # that are remembered; those not heard of for longest are forgotten first


@dataclass(frozen=True)
class Rate:
    """On the whole, and at once."""

    puzzles_per_s: float
    burst: float

    def __post_init__(self) -> None:
        """Raises: ValueError."""
        if not (0 < self.puzzles_per_s < math.inf and 1 <= self.burst < math.inf):
            raise ValueError("a rate is above 0, a burst at least 1 puzzle")


class RateLimitedError(Exception):
    """A client that brings more puzzles than it may."""

    def __init__(self, rate: Rate, retry_after_s: float) -> None:
        super().__init__(
            f"you may bring {rate.puzzles_per_s:g} puzzles a second, {rate.burst:g} at once"
        )
        self.retry_after_s = retry_after_s


@final
class Bucket:
    """Fills at the rate up to the burst.

    A request is let in when the bucket holds what it costs, or is full; one that costs more than a
    full bucket leaves a debt, which fills up first. So whatever the sizes of requests, the rate is
    kept on the whole, and none is too large to be let in at all.
    """

    def __init__(self, rate: Rate, now_s: float) -> None:
        self.rate = rate
        self._puzzles = rate.burst
        self._since_s = now_s

    def take(self, puzzles: int, now_s: float) -> None:
        """Raises: RateLimitedError, and takes nothing then."""
        self._fill(now_s)
        missing = min(puzzles, self.rate.burst) - self._puzzles
        if missing > 1e-9:  # of a puzzle; sums of fractions
            raise RateLimitedError(self.rate, missing / self.rate.puzzles_per_s)
        self._puzzles -= puzzles

    def charge(self, puzzles: int, now_s: float) -> None:
        """Take for what was let in before its size was known; more than there is leaves a debt."""
        self._fill(now_s)
        self._puzzles -= puzzles

    def _fill(self, now_s: float) -> None:
        filled = self._puzzles + (now_s - self._since_s) * self.rate.puzzles_per_s
        self._puzzles = min(self.rate.burst, filled)
        self._since_s = now_s


@final
class Buckets:
    """One for each client: the name of a key, or an address."""

    def __init__(self, clock: Callable[[], float], most: int = MOST_CLIENTS) -> None:
        self._clock = clock
        self._most = most
        self._of: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def take(self, client: str, rate: Rate, puzzles: int) -> None:
        """Raises: RateLimitedError."""
        self._bucket(client, rate).take(puzzles, self._clock())

    def charge(self, client: str, rate: Rate, puzzles: int) -> None:
        """As `Bucket.charge`."""
        self._bucket(client, rate).charge(puzzles, self._clock())

    def _bucket(self, client: str, rate: Rate) -> Bucket:
        """A client's; a full one if it is new, was forgotten, or has another rate than before."""
        bucket = self._of.get(client)
        if bucket is None or bucket.rate != rate:
            bucket = self._of[client] = Bucket(rate, self._clock())
        self._of.move_to_end(client)
        if len(self._of) > self._most:
            self._of.popitem(last=False)
        return bucket
