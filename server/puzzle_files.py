"""Questions from a file: one puzzle a line, or a CSV with a `question` column; .gz is read."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class PuzzleFileError(Exception):
    """A file that cannot be read as puzzles."""


@dataclass(frozen=True)
class FiledQuestion:
    """A question as it stands in a file; `line` counts from 1."""

    line: int
    text: str


def read_questions(path: Path) -> list[FiledQuestion]:
    """Every question of the file, in order. Blank lines and lines that begin with # are skipped.

    Raises: PuzzleFileError if there is no such file, it is no text, or holds no question.
    """
    try:
        packed = path.read_bytes()
        text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise PuzzleFileError(f"{path}: {error}") from error
    columns = text.partition("\n")[0].strip().split(",")
    if len(columns) > 1 and "question" not in columns:
        raise PuzzleFileError(f"{path}: no column is called question, only {', '.join(columns)}")
    found = list(_from_csv(text) if "question" in columns else _from_lines(text))
    if not found:
        raise PuzzleFileError(f"{path}: no puzzle in it")
    return found


def _from_csv(text: str) -> Iterator[FiledQuestion]:
    rows = csv.DictReader(io.StringIO(text))
    for row in rows:
        yield FiledQuestion(rows.line_num, row["question"] or "")


def _from_lines(text: str) -> Iterator[FiledQuestion]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield FiledQuestion(number, line.strip())
