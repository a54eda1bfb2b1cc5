"""The tasks that can be asked, by name and by what they look like."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from export.manifest import BundleError, Manifest
from puzzles.arc import Variant
from puzzles.arc_task import ArcTask, InvalidTaskError, between
from puzzles.known_tasks import KnownTask, read_known_tasks
from server.lane import Lane


class UnknownTaskError(Exception):
    """Nobody here knows the task."""

    @classmethod
    def of_name(cls, name: str) -> "UnknownTaskError":
        """No task has this name."""
        return cls(f"there is no task {name!r}; `train` may tell what it is")

    @classmethod
    def of_demonstrations(cls) -> "UnknownTaskError":
        """No task has these demonstrations."""
        return cls("no task here has these demonstrations; POST /v1/tasks can have it learnt")


@dataclass(frozen=True)
class TaskRows:
    """A known task and its rows: `variants` of them from `first_task` on, on one canvas.

    trained_steps: supervision steps of a row when it was trained.
    lane: opens what runs them, for a task that was learnt here; None: the loaded bundle's lane.
    """

    known: KnownTask
    first_task: int
    variants: int
    trained_steps: int
    lane: Callable[[], Lane] | None = None


@dataclass(frozen=True)
class Recognised:
    """A known task, and what takes a grid of the asked one to it."""

    rows: TaskRows
    there: Variant


@final
class TaskCatalog:
    """Every task of the loaded bundles, and those that were learnt here. From any thread."""

    def __init__(self, rows: Iterable[TaskRows]) -> None:
        self._by_name = {one.known.name: one for one in rows}
        self._by_key: dict[bytes, TaskRows] | None = None  # made when first asked for
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all tasks, in the order of their rows, then of their coming."""
        return tuple(self._by_name)

    def add(self, rows: TaskRows) -> None:
        """A task has been learnt."""
        with self._lock:
            self._by_name = self._by_name | {rows.known.name: rows}
            if self._by_key is not None:
                self._by_key[rows.known.task.canonical.key] = rows

    def remove(self, name: str) -> None:
        """Forget a task; one that is not there is forgotten already."""
        with self._lock:
            self._by_name = {key: rows for key, rows in self._by_name.items() if key != name}
            self._by_key = None

    def named(self, name: str) -> Recognised:
        """Raises: UnknownTaskError."""
        rows = self._by_name.get(name)
        if rows is None:
            raise UnknownTaskError.of_name(name)
        return Recognised(rows, Variant())

    def recognise(self, task: ArcTask) -> Recognised:
        """The known task with these demonstrations, turned, recoloured or in another order.

        Takes seconds the first time: call it off the event loop. Raises: UnknownTaskError.
        """
        with self._lock:
            if self._by_key is None:
                self._by_key = {one.known.task.canonical.key: one for one in self._by_name.values()}
            found = self._by_key.get(task.canonical.key)
        there = found and between(found.known.task.canonical, task.canonical)
        if not found or not there:
            raise UnknownTaskError.of_demonstrations()
        return Recognised(found, there)


def read_catalog(bundles: Iterable[tuple[Path, Manifest]]) -> TaskCatalog:
    """Raises: BundleError naming the file that is damaged."""
    return TaskCatalog(rows for bundle, manifest in bundles for rows in read_rows(bundle, manifest))


def read_rows(
    bundle: Path, manifest: Manifest, lane: Callable[[], Lane] | None = None
) -> list[TaskRows]:
    """The tasks of a bundle, in the order of their rows. Raises: BundleError."""
    table = manifest.tasks
    if table is None:
        return []
    try:
        tasks = read_known_tasks(bundle / table.file)
    except InvalidTaskError as error:
        raise BundleError(str(error)) from error
    if len(tasks) != table.tasks:
        found = f"{len(tasks)} tasks, the manifest says {table.tasks}"
        raise BundleError(f"{bundle / table.file}: {found}")
    return [
        TaskRows(
            known, i * table.variants, table.variants, manifest.trained_supervision_steps, lane
        )
        for i, known in enumerate(tasks)
    ]
