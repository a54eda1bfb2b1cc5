"""What data sets and task sets have in common as directories: written aside, checked by hash."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError


class DatasetError(Exception):
    """A data set that cannot be read or written: missing, damaged, empty, or another puzzle's."""


class SetInfo(BaseModel):
    """What the file says that is written last."""

    format_version: int


InfoT = TypeVar("InfoT", bound=SetInfo)


def read_info(info: type[InfoT], path: Path, *, version: int, made_by: str) -> InfoT:
    """Read and check the file of a set. Raises: DatasetError naming it and what is wrong."""
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; {made_by}")
    try:
        found = info.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DatasetError(f"{path}: {error}") from error
    if found.format_version != version:
        raise DatasetError(f"{path}: format version {found.format_version}, expected {version}")
    return found


@contextmanager
def written_aside(directory: Path) -> Iterator[Path]:
    """A new directory to fill, which is renamed to `directory` if nothing goes wrong.

    Raises: DatasetError if that exists already.
    """
    if directory.exists():
        raise DatasetError(f"{directory}: exists already; choose another or remove it")
    directory.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        yield aside
        aside.chmod(0o755)  # mkdtemp makes it private
        aside.rename(directory)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def check_file(path: Path, sha256: str | None, told_by: str) -> None:
    """Raises: DatasetError if a file is missing or not what `told_by`, the set's own file, says."""
    if not path.is_file():
        raise DatasetError(f"{path}: {told_by} names it, but there is no such file")
    if file_sha256(path) != sha256:
        raise DatasetError(f"{path}: damaged: its sha256 is not the one in {told_by}")


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
