"""Files that are slow to make, made once for all processes of a test run."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The directory `name` of this run, as the first process that asks has `make` fill it.

    Read only: other tests, also of other processes, read the same files.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each worker has a directory of its own in the run's
    directory = root / f"shared-{name}"
    with (root / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            aside = directory.with_suffix(".partial")
            aside.mkdir()
            make(aside)
            aside.rename(directory)
    return directory
