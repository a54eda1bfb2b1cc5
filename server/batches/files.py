"""The directory of batches: the database, and two files beside it for each batch."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import final

from server.batches.errors import BatchDirectoryError
from server.disk import storing, sync_directory

DATABASE = "batches.sqlite3"
_INPUT, _RESULTS, _UPLOAD = ".input.jsonl", ".results.jsonl", ".upload"


@final
class BatchFiles:
    """Names of files, and which of them are there."""

    def __init__(self, directory: Path) -> None:
        """Make the directory. Raises: BatchDirectoryError."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BatchDirectoryError(
                f"{directory}: {error.strerror}; give another --batch-dir, or --batches false"
            ) from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise BatchDirectoryError(f"{directory}: not writable; give another --batch-dir")
        self._directory = directory

    @property
    def database(self) -> Path:
        """Where the database is."""
        return self._directory / DATABASE

    def upload(self, batch_id: str) -> Path:
        """Where a batch's lines are while they arrive."""
        return self._directory / f"{batch_id}{_UPLOAD}"

    def input(self, batch_id: str) -> Path:
        """Where its lines are."""
        return self._directory / f"{batch_id}{_INPUT}"

    def results(self, batch_id: str) -> Path:
        """Where its results are."""
        return self._directory / f"{batch_id}{_RESULTS}"

    def keep_upload(self, batch_id: str) -> None:
        """A whole upload, synced, becomes a batch's input, for good; its results are empty.

        Raises: StorageError.
        """
        with storing("the upload"):
            self.results(batch_id).touch()
            self.upload(batch_id).replace(self.input(batch_id))
            sync_directory(self._directory)

    def remove(self, batch_id: str) -> None:
        """Remove all that there is of a batch. Raises: StorageError."""
        with storing("a batch that is deleted"):
            for path in (self.upload(batch_id), self.input(batch_id), self.results(batch_id)):
                path.unlink(missing_ok=True)

    def remove_all_but(self, known: Collection[str]) -> int:
        """Remove what uploads and deletions left that were cut off; returns how many files.

        For the start only: an upload that arrives is not known yet. Raises: StorageError.
        """
        removed = 0
        with storing("files of batches that are gone"):
            for path in self._directory.glob("batch_*"):
                batch_id, _, kind = path.name.partition(".")
                ours = f".{kind}" in (_INPUT, _RESULTS, _UPLOAD)
                if ours and (batch_id not in known or f".{kind}" == _UPLOAD):
                    path.unlink()
                    removed += 1
        return removed
