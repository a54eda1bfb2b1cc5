"""Sudokus to send: fresh ones, so that a mean number of steps is what a server would see."""

import json
from pathlib import Path

from rich.progress import Progress

from puzzles.registry import by_name
from training.evaluation_data import read_evaluation_data
from training.sudoku_generator import generate_chunk

SEED = 3
NINE = by_name("sudoku-9x9")


def minimal_nines(count: int) -> list[dict[str, object]]:
    """Minimal 9×9 puzzles as requests."""
    made = generate_chunk(NINE.spec.name, seed=SEED, chunk_index=0, count=count)
    return [{"kind": "sudoku", "grid": NINE.format(question)} for question in made.questions]


def filed(data: Path, count: int) -> list[dict[str, object]]:
    """Puzzles of a file, evenly spaced, as requests. Raises: DatasetError."""
    with Progress(transient=True, disable=True) as progress:
        read = read_evaluation_data(data, "test", progress)
    some = read.evenly_spaced(min(count, len(read)))
    spec = some.kind.spec
    grids = some.questions.reshape(-1, spec.height, spec.width)
    return [{"kind": spec.kind, "grid": some.kind.format(question)} for question in grids]


def bodies(requests: list[dict[str, object]], **budget: int) -> list[bytes]:
    """Requests as bodies of /v1/solve, with these budgets."""
    return [json.dumps(request | budget).encode() for request in requests]
