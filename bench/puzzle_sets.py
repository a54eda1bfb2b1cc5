"""What `bench engine` solves: files, or puzzles that are generated on the spot."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import Progress

from puzzles.registry import by_name
from training.evaluation_data import EvaluationData, read_evaluation_data
from training.sudoku_generator import generate_chunk

SEED = 20
EASY_EXTRA_GIVENS = (8, 16)  # beside the 24 or so of a minimal 9x9: what newspapers print
GENERATED = {"fresh minimal": (0, 0), "fresh easy": EASY_EXTRA_GIVENS}


def puzzle_sets(
    files: Sequence[Path], puzzle: str, limit: int, progress: Progress
) -> list[EvaluationData]:
    """`limit` puzzles of each file, evenly spaced; without files, minimal and easy fresh ones.

    Raises: DatasetError; GeneratorError for a size that cannot be generated.
    """
    if files:
        read = [read_evaluation_data(file, "test", progress) for file in files]
        return [data.evenly_spaced(limit) for data in read]
    return [_generated(name, puzzle, limit, extra) for name, extra in GENERATED.items()]


def _generated(name: str, puzzle: str, count: int, extra: tuple[int, int]) -> EvaluationData:
    made = generate_chunk(puzzle, seed=SEED, chunk_index=0, count=count, extra_givens=extra)
    return EvaluationData(
        name=name,
        kind=by_name(puzzle),
        questions=made.questions,
        answers=made.answers,
        ratings=made.ratings,
        sources=np.zeros(count, np.uint8),
        source_names=(name,),
    )
