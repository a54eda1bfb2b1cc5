"""What tests of several packages share, and which files run first."""

from pathlib import Path

import pytest

from tests.sharing import shared

# Begun last, one of these would keep one core busy while the others have nothing left to do.
LONG = (
    "tests/docs/test_arc_guide.py",
    "tests/docs/test_guides.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
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

        config = LATTICE.model_copy(update={"latent_recursions": 1})
        export_small(small_trm(config, sudoku(4)), directory, sudoku(6), sudoku(4))

    return shared(tmp_path_factory, "lattice", make) / "bundle"
