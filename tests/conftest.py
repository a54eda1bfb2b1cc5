"""What tests of several packages share, and which files run first."""

from pathlib import Path

import pytest

from tests.sharing import shared

# Files that take long: one that is begun last keeps one core busy while others have nothing to do.
LONG = (
    "tests/docs/",
    "tests/export/",
    "tests/server/test_batch_kill.py",
    "tests/training/test_task_training.py",
    "tests/kernel/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test` hands files out in this order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session")
def arc_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that knows three ARC tasks. Not to be written to."""

    def make(directory: Path) -> None:
        from tests.server.arc_bundle import arc_trm, write_arc_bundle

        write_arc_bundle(arc_trm(), directory)

    return shared(tmp_path_factory, "arc", make) / "bundle"


@pytest.fixture(scope="session")
def lattice_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small lattice with random weights, for 4×4 and 6×6; beside it, `checkpoint`, for 4×4."""

    def make(directory: Path) -> None:
        from tests.export.small import export_small
        from tests.model.small import LATTICE, small_trm, sudoku

        export_small(small_trm(LATTICE, sudoku(4)), directory, sudoku(6), sudoku(4))

    return shared(tmp_path_factory, "lattice", make) / "bundle"
