"""A batch's lines as the body of a request, piece by piece, so that it is never in memory whole."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from client.encoding import AskedPuzzle, SolveOptions, json_bytes, puzzle_request
from client.errors import InvalidInputError

PIECE_BYTES = 1 << 18
GZIP_WINDOW = 31  # zlib's word for "with gzip's header"

# Told how many bytes of the file, or of the lines, have been sent so far.
SentProgress = Callable[[int], None]


@dataclass(frozen=True)
class Upload:
    """pieces: the body from its beginning; rewindable: it can be asked for more than once."""

    pieces: Callable[[], Iterator[bytes]]
    headers: Mapping[str, str]
    rewindable: bool


def file_upload(path: Path, *, gzip: bool, progress: SentProgress | None) -> Upload:
    """A file of JSON lines; one called .gz is sent as it is, others packed on the way if `gzip`.

    Raises: InvalidInputError if there is no such file.
    """
    try:
        size_bytes = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror}") from error
    packed = path.suffix == ".gz"

    def pieces() -> Iterator[bytes]:
        read = _told(_read(path), progress)
        return _gzipped(read) if gzip and not packed else read

    headers = _headers(gzipped=gzip or packed)
    if packed or not gzip:
        headers["Content-Length"] = str(size_bytes)
    return Upload(pieces, headers, rewindable=True)


def lines_upload(
    asked: Iterable[AskedPuzzle],
    options: SolveOptions,
    *,
    gzip: bool,
    progress: SentProgress | None,
) -> Upload:
    """Puzzles as JSON lines; an iterator can be read only once, a list again."""

    def pieces() -> Iterator[bytes]:
        lines = (json_bytes(puzzle_request(one, options)) + b"\n" for one in asked)
        read = _told(_joined(lines), progress)
        return _gzipped(read) if gzip else read

    return Upload(pieces, _headers(gzipped=gzip), rewindable=iter(asked) is not asked)


def _headers(*, gzipped: bool) -> dict[str, str]:
    encoding = {"Content-Encoding": "gzip"} if gzipped else {}
    return {"Content-Type": "application/x-ndjson"} | encoding


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces worth sending."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=GZIP_WINDOW)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _told(pieces: Iterator[bytes], progress: SentProgress | None) -> Iterator[bytes]:
    sent = 0
    for piece in pieces:
        yield piece
        sent += len(piece)  # asked for the next one: this one is on its way
        if progress is not None:
            progress(sent)
