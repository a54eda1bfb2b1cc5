"""When a lane whose supervision steps fail is given up, and when it is tried again. Pure."""

from typing import final

FAILURES_IN_A_ROW = 3


@final
class Breaker:
    """Closed while steps succeed; open from the third failure in a row until a probe succeeds."""

    def __init__(self, probe_seconds: float) -> None:
        """probe_seconds: from a failure to the next probe."""
        self._probe_seconds = probe_seconds
        self._failures = 0
        self._probe_at_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the lane is given up for now."""
        return self._probe_at_s is not None

    def seconds_to_probe(self, now_s: float) -> float:
        """Until an open breaker's next probe; 0 when it is due."""
        return 0.0 if self._probe_at_s is None else max(0.0, self._probe_at_s - now_s)

    def failed(self, now_s: float) -> None:
        """A step failed, or a probe."""
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            self._probe_at_s = now_s + self._probe_seconds

    def succeeded(self) -> None:
        """A step worked, or a probe."""
        self._failures = 0
        self._probe_at_s = None
