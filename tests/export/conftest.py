"""Bundles are slow to make: each kind is exported once."""

from pathlib import Path

import pytest

from export.bundle import export_bundle
from model.config import ModelConfig
from tests.model.small import ATTENTION, LATTICE, MIXER, save_small, small_trm, sudoku

PARITY_PUZZLES = 40


def _export(directory: Path, config: ModelConfig, *sizes: int, tasks: bool = False) -> Path:
    specs = [sudoku(size).model_copy(update={"uses_task": tasks}) for size in sizes]
    checkpoint = save_small(small_trm(config, *specs), directory / "checkpoint")
    export_bundle(checkpoint, directory / "bundle", parity_puzzles=PARITY_PUZZLES)
    return directory / "bundle"


@pytest.fixture(scope="session")
def lattice_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(tmp_path_factory.mktemp("lattice"), LATTICE, 4, 6)


@pytest.fixture(scope="session")
def mixer_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(tmp_path_factory.mktemp("mixer"), MIXER, 4)


@pytest.fixture(scope="session")
def task_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(tmp_path_factory.mktemp("task"), ATTENTION, 4, tasks=True)
