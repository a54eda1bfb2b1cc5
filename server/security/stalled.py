"""Clients that ask for much and then read nothing: their answers would be kept for ever."""

from collections.abc import Iterable
from typing import Protocol, final

PATIENCE_S = 60.0  # without a byte taken


class _Transport(Protocol):
    def get_write_buffer_size(self) -> int: ...

    def abort(self) -> None: ...


class Reader(Protocol):
    """A connection, as uvicorn's protocols for HTTP have it."""

    @property
    def transport(self) -> _Transport: ...


@final
class StalledReaders:
    """Knows since when the bytes that wait for each connection have not become fewer."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._waiting: dict[Reader, tuple[int, float]] = {}

    def sweep(self, connections: Iterable[Reader], now_s: float) -> int:
        """Cut off those that have taken nothing for too long; to be called every second or so.

        Returns how many.
        """
        cut = 0
        before, self._waiting = self._waiting, {}
        for connection in connections:
            size_bytes = connection.transport.get_write_buffer_size()
            if not size_bytes:
                continue
            seen_bytes, since_s = before.get(connection, (size_bytes, now_s))
            if seen_bytes != size_bytes:  # some were taken, or more have come to wait
                since_s = now_s
            if now_s - since_s >= self._patience_s:
                connection.transport.abort()
                cut += 1
            else:
                self._waiting[connection] = (size_bytes, since_s)
        return cut
