"""What tests of several packages share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def arc_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that knows three ARC tasks; it takes a while to export."""
    from tests.server.arc_bundle import arc_trm, write_arc_bundle

    return write_arc_bundle(arc_trm(), tmp_path_factory.mktemp("arc"))
