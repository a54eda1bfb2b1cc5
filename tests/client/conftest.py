"""One server process for all tests here, with the bundles of the repository."""

from collections.abc import Iterator

import pytest

from client import Ponder
from tests.server.test_process import serving

FOUR = "..2....33....4.2"
# Nothing clashes, but the ninth cell can be nothing: it is worked on until its budget ends.
IMPOSSIBLE = "12345678." + 8 * "." + "9" + 63 * "."
ENDLESS = {"grid": IMPOSSIBLE, "max_steps": 1024, "attempts": 2048}
FLAGS = ("--bundle", "bundles/sudoku", "--bundle", "bundles/arc-small", "--slots", "4")


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """onnxruntime starts at once, where compiling for the CPU takes a while."""
    state = tmp_path_factory.mktemp("served")
    kept = ("--batch-dir", str(state / "batches"), "--task-dir", str(state / "tasks"))
    with serving(*FLAGS, "--runtime", "onnxruntime", *kept) as (_, address):
        yield address


@pytest.fixture
def ponder(url: str) -> Iterator[Ponder]:
    with Ponder(url) as client:
        yield client


@pytest.fixture
def endless(ponder: Ponder) -> Iterator[str]:
    """The id of a batch that is worked on until the test has ended."""
    batch_id = ponder.batches.submit([ENDLESS], name="[red]endless").id
    yield batch_id
    ponder.batches.delete(batch_id)
