"""What `ponder batch submit` takes: JSON lines as they are, or puzzles as `ponder solve` reads."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

LOOKED_AT_BYTES = 4096

if TYPE_CHECKING:
    from client.requests import BatchSource


class UnreadableFileError(Exception):
    """A file that holds no puzzles."""


@dataclass(frozen=True)
class Source:
    """What is sent. size_bytes: how much progress will have counted at its end, if known."""

    puzzles: "BatchSource"
    size_bytes: int | None


def source_of(path: Path) -> Source:
    """JSON lines go to the server unread; other puzzles become requests named by their line.

    Raises: UnreadableFileError.
    """
    from server.puzzle_files import PuzzleFileError, read_questions

    if _begins_with_json(path):
        return Source(path, path.stat().st_size)
    try:
        questions = read_questions(path)
    except PuzzleFileError as error:
        raise UnreadableFileError(str(error)) from error
    return Source([{"grid": one.text, "custom_id": str(one.line)} for one in questions], None)


def _begins_with_json(path: Path) -> bool:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return bool(file.read(LOOKED_AT_BYTES).lstrip()[:1] in (b"{", b"["))
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(f"{path}: {error}") from error
