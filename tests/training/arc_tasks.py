"""Small made tasks: recolour, mirror, and one whose answer is known by its shape."""

import json
from pathlib import Path
from typing import Any

import numpy as np

Raw = dict[str, Any]


def pair(grid: np.ndarray, answer: np.ndarray) -> Raw:
    return {"input": grid.tolist(), "output": answer.tolist()}


def mirror_task(seed: int, pairs: int = 3) -> Raw:
    """Left becomes right; sizes differ from pair to pair."""
    rng = np.random.default_rng(seed)
    grids = [rng.integers(0, 10, (2 + i % 2, 3)) for i in range(pairs + 1)]
    made = [pair(grid, np.fliplr(grid)) for grid in grids]
    return {"train": made[:-1], "test": made[-1:]}


def fill_task(seed: int, pairs: int = 2) -> Raw:
    """All becomes the colour of the first cell."""
    rng = np.random.default_rng(seed)
    grids = [rng.integers(1, 10, (3, 2)) for _ in range(pairs + 1)]
    made = [pair(grid, np.full_like(grid, grid[0, 0])) for grid in grids]
    return {"train": made[:-1], "test": made[-1:]}


def write_tasks(path: Path, tasks: dict[str, Raw]) -> Path:
    path.write_text(json.dumps(tasks))
    return path
