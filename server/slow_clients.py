"""Connections that take too long to send the head of a request are closed.

uvicorn closes connections that are idle between requests, but waits for ever for a head that
trickles in. Bodies have their own limit (`limits`), which can still answer.
"""

from collections.abc import Iterable
from typing import Protocol, final


class _Transport(Protocol):
    def close(self) -> None: ...


class _Exchange(Protocol):
    response_complete: bool


class Connection(Protocol):
    """What uvicorn's protocols for HTTP have in common; `cycle` is the request being answered."""

    @property
    def transport(self) -> _Transport: ...

    @property
    def cycle(self) -> _Exchange | None: ...


@final
class SlowClients:
    """Knows since when each connection has been between two requests."""

    def __init__(self, receive_seconds: float) -> None:
        self._receive_seconds = receive_seconds
        self._between: dict[Connection, tuple[_Exchange | None, float]] = {}

    def sweep(self, connections: Iterable[Connection], now_s: float) -> int:
        """Close those that have waited too long for a head; to be called every second or so.

        Returns how many were closed.
        """
        closed = 0
        before, self._between = self._between, {}
        for connection in connections:
            last = connection.cycle
            if last is not None and not last.response_complete:
                continue
            seen, since_s = before.get(connection, (last, now_s))
            if seen is not last:  # another request came and went in the meantime
                since_s = now_s
            if now_s - since_s >= self._receive_seconds:
                connection.transport.close()
                closed += 1
            else:
                self._between[connection] = (last, since_s)
        return closed
