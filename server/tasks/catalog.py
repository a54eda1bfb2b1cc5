"""The tasks that loaded bundles have embeddings of, by name and by what they look like."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from export.manifest import BundleError, Manifest
from puzzles.arc import Variant
from puzzles.arc_task import ArcTask, InvalidTaskError, between
from puzzles.known_tasks import KnownTask, read_known_tasks


class UnknownTaskError(Exception):
    """No loaded bundle knows a task of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no loaded bundle knows a task {name!r}; `train` may tell what it is")


class AdaptationUnavailableError(Exception):
    """The demonstrations are of no task that a loaded bundle knows."""

    def __init__(self) -> None:
        super().__init__(
            "no loaded bundle knows this task, and this server cannot learn it; "
            "`ponder adapt` can, on the command line"
        )


@dataclass(frozen=True)
class TaskRows:
    """A known task and its rows: `variants` of them from `first_task` on, on one canvas."""

    known: KnownTask
    first_task: int
    variants: int


@dataclass(frozen=True)
class Recognised:
    """A known task, and what takes a grid of the asked one to it."""

    rows: TaskRows
    there: Variant


@final
class TaskCatalog:
    """Every known task of the bundles that are loaded."""

    def __init__(self, rows: Iterable[TaskRows]) -> None:
        self._by_name = {one.known.name: one for one in rows}
        self._by_key: dict[bytes, TaskRows] | None = None  # made when first asked for

    @property
    def names(self) -> tuple[str, ...]:
        """Of all tasks, in the order of their rows."""
        return tuple(self._by_name)

    def named(self, name: str) -> Recognised:
        """Raises: UnknownTaskError."""
        if name not in self._by_name:
            raise UnknownTaskError(name)
        return Recognised(self._by_name[name], Variant())

    def recognise(self, task: ArcTask) -> Recognised:
        """The known task with these demonstrations, turned, recoloured or in another order.

        Takes seconds the first time: call it off the event loop.
        Raises: AdaptationUnavailableError if there is none.
        """
        if self._by_key is None:
            self._by_key = {one.known.task.canonical.key: one for one in self._by_name.values()}
        found = self._by_key.get(task.canonical.key)
        there = found and between(found.known.task.canonical, task.canonical)
        if not found or not there:
            raise AdaptationUnavailableError
        return Recognised(found, there)


def read_catalog(bundles: Iterable[tuple[Path, Manifest]]) -> TaskCatalog:
    """Raises: BundleError naming the file that is damaged."""
    rows = []
    for bundle, manifest in bundles:
        table = manifest.tasks
        if table is None:
            continue
        try:
            tasks = read_known_tasks(bundle / table.file)
        except InvalidTaskError as error:
            raise BundleError(str(error)) from error
        if len(tasks) != table.tasks:
            found = f"{len(tasks)} tasks, the manifest says {table.tasks}"
            raise BundleError(f"{bundle / table.file}: {found}")
        rows += [
            TaskRows(known, i * table.variants, table.variants) for i, known in enumerate(tasks)
        ]
    return TaskCatalog(rows)
