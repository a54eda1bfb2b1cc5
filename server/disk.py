"""What a disk can refuse, and how to make names of files last."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StorageError(Exception):
    """The disk refuses to write or to read."""


@contextmanager
def storing(what: str) -> Iterator[None]:
    """Turn the system's errors into StorageError. what: for people, what is stored."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror or error}") from error


def write_synced(path: Path, text: str) -> None:
    """Write a file that outlasts a power cut, once its name does. Raises: OSError."""
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make names of files last. Raises: OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
