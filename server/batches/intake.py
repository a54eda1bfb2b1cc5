"""An upload on its way to the disk: unpacked, counted and held against the limits as it comes."""

import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import final

from server.batches.errors import DamagedUploadError, EmptyBatchError, LineTooLongError
from server.batches.lines import is_blank, is_object
from server.disk import storing
from server.errors import BodyTooLargeError, TooManyItemsError

PIECE_BYTES = 1 << 20  # of what is unpacked at a time
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class UploadLimits:
    """How big an upload may be, unpacked, and each of its lines; how many those may be.

    lines: each gets a result of some hundred bytes, however short it is.
    """

    upload_bytes: int
    line_bytes: int
    lines: int


@dataclass(frozen=True)
class Upload:
    """What has arrived: lines that are not blank, and the SHA-256 of all."""

    lines: int
    sha256: str


@final
class Intake:
    """A file that is written piece by piece; a context manager that closes it."""

    def __init__(self, path: Path, *, gzipped: bool, limits: UploadLimits) -> None:
        """Raises: StorageError."""
        self._limits = limits
        self._unpacker = _Unpacker() if gzipped else None
        self._size_bytes = 0
        self._hash = hashlib.sha256()
        self._tail = b""  # of a line whose end has not come yet
        self._line_number = 0
        self._lines = 0
        self._has_object = False
        with storing("the upload"):
            self._file = path.open("wb")

    def __enter__(self) -> "Intake":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with storing("the upload"):
            self._file.close()

    def feed(self, data: bytes) -> None:
        """Take in the next bytes of the body.

        Raises: BodyTooLargeError, LineTooLongError, TooManyItemsError, DamagedUploadError,
        StorageError.
        """
        for piece in (data,) if self._unpacker is None else self._unpacker.unpack(data):
            self._take(piece)

    def finish(self) -> Upload:
        """The body is over: everything is on the disk when this returns.

        Raises: EmptyBatchError, and what `feed` raises.
        """
        if self._unpacker is not None and self._unpacker.is_used:
            self._take(self._unpacker.finish())
        self._see([self._tail])
        if not self._has_object:
            raise EmptyBatchError(self._lines)
        with storing("the upload"):
            self._file.flush()
            os.fsync(self._file.fileno())
        return Upload(self._lines, self._hash.hexdigest())

    def _take(self, data: bytes) -> None:
        self._size_bytes += len(data)
        if self._size_bytes > self._limits.upload_bytes:
            raise BodyTooLargeError(self._limits.upload_bytes)
        *lines, self._tail = (self._tail + data).split(b"\n")
        self._see(lines)
        self._check_lengths([self._tail])
        self._hash.update(data)
        with storing("the upload"):
            self._file.write(data)

    def _see(self, lines: Sequence[bytes]) -> None:
        self._check_lengths(lines)
        self._line_number += len(lines)
        if self._line_number > self._limits.lines:
            raise TooManyItemsError(self._line_number, self._limits.lines)
        there = [line for line in lines if not is_blank(line)]
        self._lines += len(there)
        self._has_object = self._has_object or any(map(is_object, there))

    def _check_lengths(self, lines: Sequence[bytes]) -> None:
        """Of the lines that come next."""
        if max(map(len, lines), default=0) <= self._limits.line_bytes:
            return
        number = next(n for n, line in enumerate(lines, 1) if len(line) > self._limits.line_bytes)
        raise LineTooLongError(self._line_number + number, self._limits.line_bytes)


@final
class _Unpacker:
    """gzip, of one member or several, a bounded piece at a time."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP)
        self.is_used = False

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Raises: DamagedUploadError."""
        while data:
            if self._inflater.eof:
                data = data.lstrip(b"\0")  # padding after a member
                self._inflater = zlib.decompressobj(_GZIP) if data else self._inflater
            if data:
                self.is_used = True
                try:
                    piece = self._inflater.decompress(data, PIECE_BYTES)
                except zlib.error as error:
                    raise DamagedUploadError(f"the body is no gzip: {error}") from error
                data = self._inflater.unconsumed_tail or self._inflater.unused_data
                yield piece

    def finish(self) -> bytes:
        """What is left. Raises: DamagedUploadError."""
        rest = self._inflater.flush()
        if not self._inflater.eof:
            raise DamagedUploadError("the body ends before its gzip does")
        return rest
