"""The directory of tasks that were handed in: a folder each, readable after any crash.

    task_…/task.json      what was handed in; written before the folder gets its name
    task_…/outcome.json   how learning ended
    task_…/bundle/        what was learnt, an ordinary bundle; gets its name when it is whole
    task_…/failure.txt    why nothing was learnt
    task_…/log.txt        what the learning process said

So a task's state is which of these are there: neither a bundle nor a failure means to be learnt.
"""

import fcntl
import logging
import shutil
from pathlib import Path
from typing import Any, final

from pydantic import BaseModel, ConfigDict, ValidationError

from export.manifest import MANIFEST_FILE
from server.disk import storing, sync_directory, write_synced
from server.tasks.errors import TaskDirectoryError
from server.tasks.schemas import TaskProgress, What

log = logging.getLogger(__name__)

PREFIX = "task_"
_ASIDE = ".partial"
_TASK, _OUTCOME, _FAILURE = "task.json", "outcome.json", "failure.txt"


class Registration(BaseModel):
    """A task as it was handed in. train: pairs as published; model: the bundle to start from.

    side: of the grids to come, if they may be larger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str | None
    created_ms: int
    train: list[dict[str, Any]]
    model: str
    what: What
    minutes: float
    tries: int = 1  # of tasks handed in before there were several
    side: int | None = None


@final
class TaskDirectory:
    """Folders of tasks; for one server alone, by a lock that the system drops with the process.

    Raises: StorageError, from any method, where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """Make the directory and lock it. Raises: TaskDirectoryError."""
        self._path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / "lock").open("w")
        except OSError as error:
            raise TaskDirectoryError(
                f"{path}: {error.strerror}; give another --task-dir, or --adapt false"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise TaskDirectoryError(
                f"{path} is in use by another server; give another --task-dir, or --adapt false"
            ) from error

    def close(self) -> None:
        """Give the directory free."""
        self._lock.close()

    def registrations(self) -> list[Registration]:
        """Of all tasks, oldest first; what a crash left half-written is removed.

        A folder that is damaged is told in the log, and left alone.
        """
        found = []
        with storing("the tasks"):
            for aside in self._path.glob(f"{PREFIX}*{_ASIDE}"):
                shutil.rmtree(aside, ignore_errors=True)
            for path in sorted(self._path.glob(f"{PREFIX}*/{_TASK}")):
                try:
                    found.append(Registration.model_validate_json(path.read_bytes()))
                except ValidationError:
                    log.exception("damaged task left alone", extra={"path": str(path)})
        return found

    def create(self, registration: Registration) -> None:
        """Keep a task, for good."""
        aside = self._path / f"{registration.id}{_ASIDE}"
        with storing("a task"):
            aside.mkdir()
            write_synced(aside / _TASK, registration.model_dump_json())
            aside.rename(self._folder(registration.id))
            sync_directory(self._path)

    def remove(self, task_id: str) -> None:
        """Remove all that there is of a task: first its name, so that nothing half is left."""
        folder = self._folder(task_id)
        with storing("a task that is deleted"):
            if folder.exists():
                folder = folder.rename(folder.with_name(f"{folder.name}.removed{_ASIDE}"))
                shutil.rmtree(folder)

    def task(self, task_id: str) -> Path:
        """The file with the demonstrations."""
        return self._folder(task_id) / _TASK

    def bundle(self, task_id: str) -> Path:
        """Where what was learnt is, or will be."""
        return self._folder(task_id) / "bundle"

    def log(self, task_id: str) -> Path:
        """Where the learning process speaks."""
        return self._folder(task_id) / "log.txt"

    def is_ready(self, task_id: str) -> bool:
        """Whether it was learnt."""
        return (self.bundle(task_id) / MANIFEST_FILE).exists()

    def outcome(self, task_id: str) -> TaskProgress | None:
        """How learning ended; None if it did not, or nobody saw it."""
        try:
            return TaskProgress.model_validate_json((self._folder(task_id) / _OUTCOME).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def failure(self, task_id: str) -> str | None:
        """Why nothing was learnt; None if that is not known."""
        try:
            return (self._folder(task_id) / _FAILURE).read_text()
        except FileNotFoundError:
            return None

    def keep_outcome(self, task_id: str, outcome: TaskProgress) -> None:
        """Learning has ended like this."""
        self._put(task_id, _OUTCOME, outcome.model_dump_json())

    def keep_failure(self, task_id: str, why: str) -> None:
        """Nothing was learnt."""
        self._put(task_id, _FAILURE, why)

    def begin_anew(self, task_id: str) -> None:
        """It is to be tried again: forget how it ended."""
        with storing("a task"):
            (self._folder(task_id) / _FAILURE).unlink(missing_ok=True)
            shutil.rmtree(self.bundle(task_id), ignore_errors=True)

    def _put(self, task_id: str, name: str, text: str) -> None:
        path = self._folder(task_id) / name
        with storing("a task"):
            aside = path.with_name(f"{name}{_ASIDE}")
            write_synced(aside, text)
            aside.rename(path)

    def _folder(self, task_id: str) -> Path:
        return self._path / task_id
