"""CSV files of puzzles."""

import gzip
from collections.abc import Sequence
from pathlib import Path

from puzzles.sudoku import SUDOKUS
from training.dataset import PuzzleArrays

HEADER = "source,question,answer,rating"


def write_csv(path: Path, puzzles: PuzzleArrays, source: str = "here") -> Path:
    """The puzzles, of whatever size, as Sudoku-Extreme writes them; compressed if named `.gz`."""
    sudoku = next(one for one in SUDOKUS if one.spec.seq_len == puzzles.questions.shape[1])
    lines = [
        f"{source},{sudoku.format(question)},{sudoku.format(answer)},{rating}"
        for question, answer, rating in zip(
            puzzles.questions, puzzles.answers, puzzles.ratings, strict=True
        )
    ]
    return write_lines(path, [HEADER, *lines])


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """Lines of text, compressed if the file is named `.gz`."""
    path.parent.mkdir(exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
