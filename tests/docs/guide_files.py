"""What the readers of the guides have on their disks: published files, small and made."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np

from tests.docs.guides import ROOT
from tests.training.arc_tasks import Raw, fill_task, pair
from training.arc_build import read_names
from training.sudoku_generator import generate_chunk


def flip_task(seed: int) -> Raw:
    """Upside down; with grids that no recolouring makes another task's."""
    grids = np.random.default_rng(seed).integers(0, 3, (4, 6, 6))
    made = [pair(grid, np.flipud(grid)) for grid in grids]
    return {"train": made[:-1], "test": made[-1:]}


def write_arc_files(directory: Path) -> None:
    names = ("arc1_training", "arc1_evaluation", "arc2_training", "concept_arc", "concept_minimal")
    held_out = read_names(ROOT / "recipes" / "arc_held_out.txt")
    for place, file in enumerate(names):
        tasks = {f"{file}-{i}": flip_task(10 * place + i) for i in range(2)}
        if file == "arc1_evaluation":
            tasks |= {name: flip_task(100 + i) for i, name in enumerate(sorted(held_out))}
        packed = gzip.compress(json.dumps(tasks).encode())
        (directory / f"{file}.json.gz").write_bytes(packed)
    (directory / "task.json").write_text(json.dumps(fill_task(99)))


def write_hub(directory: Path) -> None:
    """What the Hub has: a file to train on, and one to test with."""
    directory.mkdir()
    for seed, (name, rows) in enumerate((("train.csv", 40), ("test.csv", 5))):
        made = generate_chunk("sudoku-9x9", seed=seed, chunk_index=0, count=rows)
        with (directory / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["source", "question", "answer", "rating"])
            for question, answer in zip(made.questions, made.answers, strict=True):
                writer.writerow(["made", line(question), line(answer), 0])


def line(grid: np.ndarray) -> str:
    return "".join(str(cell) if cell else "." for cell in grid.ravel())
