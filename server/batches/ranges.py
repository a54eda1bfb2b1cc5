"""Ranges of bytes, as RFC 9110 has them: one of them, or all. Pure."""

import re
from dataclasses import dataclass

from server.batches.errors import RangeNotSatisfiableError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\s*", re.ASCII)


@dataclass(frozen=True)
class ByteRange:
    """Bytes from `start` up to, and without, `stop`."""

    start: int
    stop: int


def asked_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The range that a header asks for; None is everything, as for headers that are not ours.

    Raises: RangeNotSatisfiableError.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or found[0].strip() == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(0, size_bytes - int(last)), size_bytes
    else:
        start, stop = int(first), size_bytes if not last else min(size_bytes, int(last) + 1)
        if last and int(last) < int(first):
            return None
    if start >= stop:
        raise RangeNotSatisfiableError(size_bytes)
    return ByteRange(start, stop)
