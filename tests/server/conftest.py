"""A served tiny bundle, over HTTP in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.loading import load_solver
from server.settings import Settings
from tests.server.tiny_bundle import write_bundle


@pytest.fixture(scope="session", autouse=True)
def batch_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where servers that tests start as processes keep things: not in the working directory."""
    path = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PONDER_BATCH_DIR", str(path / "batches"))
        patch.setenv("PONDER_TASK_DIR", str(path / "tasks"))
        yield path / "batches"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for 4×4 and 9×9; there is none for 6×6 and 16×16."""
    path = tmp_path_factory.mktemp("bundles") / "tiny"
    write_bundle(path)
    return path


@pytest.fixture(scope="module")
def client(bundle: Path) -> Iterator[TestClient]:
    settings = Settings(
        bundles=(bundle,),
        threads=1,
        parallel_attempts=1,  # steps are counted
        max_steps=64,
        batch_limit=50,
        queue_limit=50,
        body_limit_bytes=100_000,
    )
    with TestClient(create_app(load_solver(settings), settings)) as served:
        yield served
