"""Tiny 4×4 runs: float32, uncompiled, some tens of milliseconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.checkpoint import load_resume
from training.dataset import PuzzleArrays, Split, write_dataset
from training.recipe import Recipe
from training.sudoku_generator import generate_chunk
from training.trainer import Progress, Trainer

LATTICE = {
    "cell": "lattice",
    "hidden_size": 8,
    "blocks": 1,
    "latent_recursions": 2,
    "deep_recursions": 1,
    "expansion": 2.0,
}
MIXER = {
    "cell": "mlp",
    "hidden_size": 8,
    "blocks": 1,
    "latent_recursions": 1,
    "deep_recursions": 2,
    "expansion": 1.0,
}
STREAM = {"generate": True, "extra_givens": [0, 3], "pool": 32, "refresh_every": 3}


def recipe(**changes: Any) -> Recipe:
    """A run of 20 optimizer steps on a stream of fresh puzzles; `changes` replace whole keys."""
    plan: dict[str, Any] = {
        "name": "small",
        "optimizer_steps": 20,
        "model": LATTICE,
        "lanes": [{"puzzle": "sudoku-4x4", "batch_size": 8, "sources": [STREAM]}],
        "loss": {"name": "softmax"},
        "optimizer": {"lr": 1e-2, "weight_decay": 0.1},
        "schedule": {"name": "cosine", "warmup": 2},
        "halting": {"max_supervision_steps": 3, "noise_share": 0.5},
        "precision": "float32",
        "compile": False,
        "log_every": 5,
        "save_every": 100,
        "validate_every": 100,
    }
    return Recipe.model_validate(plan | changes)


def puzzles(count: int) -> PuzzleArrays:
    return generate_chunk("sudoku-4x4", seed=5, chunk_index=0, count=count, extra_givens=(0, 4))


def data_set(directory: Path, *, train: int = 40, validation: int = 8) -> Path:
    made = puzzles(train + validation)
    splits = {
        "train": Split(made[:train], np.zeros(train, np.uint8)),
        "validation": Split(made[train:], np.zeros(validation, np.uint8)),
    }
    write_dataset(
        directory, splits, puzzle="sudoku-4x4", seed=5, sources=("made",), provenance=("made",)
    )
    return directory


def trainer(plan: Recipe, run: Path) -> Trainer:
    return Trainer(plan, run, device=torch.device("cpu"))


def train(made: Trainer, *, until: int | None = None) -> list[Progress]:
    """Train to optimizer step `until`, or to the recipe's end; what was reported."""
    reported: list[Progress] = []
    stop: Callable[[], bool] = lambda: until is not None and made.optimizer_step >= until  # noqa: E731
    made.train(reported.append, stop)
    made.close()
    return reported


def state_of(checkpoint: Path) -> dict[str, Any]:
    """All tensors and numbers of a run's resume state, flat, by path."""
    return dict(_flat("", load_resume(checkpoint)))


def _flat(path: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in _flat(f"{path}/{key}", part)]
    if isinstance(value, list | tuple):
        return [leaf for i, part in enumerate(value) for leaf in _flat(f"{path}/{i}", part)]
    return [(path, value)]
