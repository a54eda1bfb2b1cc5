"""An upload from its request to the disk, piece by piece, as long as it comes fast enough."""

import asyncio
from collections.abc import AsyncIterator
from typing import final

from starlette.requests import ClientDisconnect, Request

from server.arrivals import ClientGoneError
from server.batches.errors import NotJsonLinesError, UnknownEncodingError
from server.batches.intake import PIECE_BYTES, Intake, Upload
from server.errors import BodyTooLargeError, BodyTooSlowError

MEDIA_TYPES = ("application/x-ndjson", "application/jsonl", "application/octet-stream")
SLOWEST_BYTES_A_SECOND = 4096  # on the whole; a client may pause, but not for ever


def is_gzipped(request: Request) -> bool:
    """How an upload is packed. Raises: NotJsonLinesError, UnknownEncodingError."""
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media not in MEDIA_TYPES:
        raise NotJsonLinesError
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity"):
        raise UnknownEncodingError(encoding)
    return encoding == "gzip"


def check_announced(request: Request, limit_bytes: int) -> None:
    """Refuse what says itself that it is too big. Raises: BodyTooLargeError."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise BodyTooLargeError(limit_bytes)


async def receive(request: Request, intake: Intake, patience_s: float) -> Upload:
    """Everything that a client sends.

    Raises: BodyTooSlowError if nothing comes for `patience_s`, or too little on the whole;
    ClientGoneError; what `Intake` raises.
    """
    waiting = bytearray()
    async for chunk in _chunks(request, patience_s):
        waiting += chunk
        if len(waiting) >= PIECE_BYTES:
            await asyncio.to_thread(intake.feed, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(intake.feed, bytes(waiting))
    return await asyncio.to_thread(intake.finish)


async def _chunks(request: Request, patience_s: float) -> AsyncIterator[bytes]:
    """Raises: BodyTooSlowError, ClientGoneError."""
    pace = _Pace(asyncio.get_running_loop().time(), patience_s)
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(pace.until_s(asyncio.get_running_loop().time())):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise BodyTooSlowError(patience_s) from None
        except ClientDisconnect:
            raise ClientGoneError from None
        if chunk is None:
            return
        pace.received_bytes += len(chunk)
        yield chunk


@final
class _Pace:
    """Until when the next chunk must be there."""

    def __init__(self, started_s: float, patience_s: float) -> None:
        self._started_s = started_s
        self._patience_s = patience_s
        self.received_bytes = 0

    def until_s(self, now_s: float) -> float:
        """The sooner of: `patience_s` from now, and what the slowest client would need."""
        slowest_s = self._started_s + self.received_bytes / SLOWEST_BYTES_A_SECOND
        return self._patience_s + min(now_s, slowest_s)
