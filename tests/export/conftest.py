"""Bundles are slow to make, the longer their graphs the slower: each kind is exported once."""

from pathlib import Path

import pytest

from tests.export.small import export_small
from tests.model.small import ATTENTION, MIXER, small_trm, sudoku
from tests.sharing import shared


@pytest.fixture(scope="session")
def mixer_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trm = small_trm(MIXER, sudoku(4))
    return export_small(trm, tmp_path_factory.mktemp("mixer"))


@pytest.fixture(scope="session")
def task_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(directory: Path) -> None:
        spec = sudoku(4).model_copy(update={"uses_task": True})
        export_small(small_trm(ATTENTION, spec), directory)

    return shared(tmp_path_factory, "task", make) / "bundle"
