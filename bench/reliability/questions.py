"""Sudokus to send: fresh ones, so that a mean number of steps is what a server would see."""

import json

from puzzles.registry import by_name
from training.sudoku_generator import generate_chunk

SEED = 3
NINE = by_name("sudoku-9x9")


def minimal_nines(count: int) -> list[dict[str, object]]:
    """Minimal 9×9 puzzles as requests."""
    made = generate_chunk(NINE.spec.name, seed=SEED, chunk_index=0, count=count)
    return [{"kind": "sudoku", "grid": NINE.format(question)} for question in made.questions]


def bodies(requests: list[dict[str, object]], **budget: int) -> list[bytes]:
    """Requests as bodies of /v1/solve, with these budgets."""
    return [json.dumps(request | budget).encode() for request in requests]
