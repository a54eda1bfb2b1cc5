"""The tasks that can be asked, by name and by what they look like."""

import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, final

from export.manifest import BundleError, Manifest
from puzzles.arc import Variant
from puzzles.arc_task import ArcTask, InvalidTaskError, between
from puzzles.known_tasks import read_known_tasks
from puzzles.registry import by_name
from server.choice import Choice
from server.lane import Lane

KeyT = TypeVar("KeyT", bound=Hashable)
LanesOf = Callable[[str], tuple[Lane, ...]]  # by the name of a puzzle: all networks that vote
ANY_MODEL = Choice()


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

    model: name of the bundle that they are in; trained_steps: supervision steps of a row when it
    was trained; lanes: what runs them, one for each network that votes, opened if need be.
    """

    name: str
    puzzle: str
    task: ArcTask
    model: str
    first_task: int
    variants: int
    trained_steps: int
    lanes: Callable[[], tuple[Lane, ...]]

    @property
    def side(self) -> int:
        """Of the canvas, in cells."""
        return by_name(self.puzzle).spec.height


@dataclass(frozen=True)
class Recognised:
    """A known task, and what takes a grid of the asked one to it."""

    rows: TaskRows
    there: Variant


@final
class TaskCatalog:
    """Every task of the loaded bundles, and those that were learnt here. From any thread.

    Several bundles may know a task: the first of them answers where a request names none.
    """

    def __init__(self, rows: Iterable[TaskRows]) -> None:
        """rows: of the loaded bundles."""
        self._learnt: dict[str, TaskRows] = {}
        self._by_name: dict[str, dict[str, TaskRows]] = {}
        self._by_key: dict[bytes, dict[str, TaskRows]] | None = None  # made when first asked for
        self._lock = threading.Lock()
        self.replace(rows)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all tasks, in the order of their rows, then of their coming."""
        return tuple(self._by_name)

    def replace(self, rows: Iterable[TaskRows]) -> None:
        """Other bundles are loaded, with these rows; what was learnt here stays known."""
        with self._lock:
            self._bundled = tuple(rows)
            self._index()

    def add(self, rows: TaskRows) -> None:
        """A task has been learnt."""
        with self._lock:
            self._learnt[rows.name] = rows
            self._index()

    def remove(self, name: str) -> None:
        """Forget a task that was learnt; one that is not there is forgotten already."""
        with self._lock:
            self._learnt.pop(name, None)
            self._index()

    def named(self, name: str, choice: Choice = ANY_MODEL) -> Recognised:
        """Raises: UnknownTaskError, UnknownModelError, NotServedError."""
        found = self._by_name.get(name)
        if found is None:
            raise UnknownTaskError.of_name(name)
        return Recognised(choice.of(found, f"the task {name}"), Variant())

    def recognise(self, task: ArcTask, choice: Choice = ANY_MODEL, *, side: int = 0) -> Recognised:
        """The known task with these demonstrations, turned, recoloured or in another order.

        side: of the largest grid to come: where several know the task, one whose canvas holds it
        goes first. Takes seconds the first time: call it off the event loop.
        Raises: UnknownTaskError, UnknownModelError, NotServedError.
        """
        with self._lock:
            if self._by_key is None:
                self._by_key = _by_model(self._rows(), lambda one: one.task.canonical.key)
            found = self._by_key.get(task.canonical.key)
        if not found:
            raise UnknownTaskError.of_demonstrations()
        holding = {model: rows for model, rows in found.items() if side <= rows.side}
        rows = choice.of(holding or found, "a task with these demonstrations")
        there = between(rows.task.canonical, task.canonical)
        if not there:
            raise UnknownTaskError.of_demonstrations()
        return Recognised(rows, there)

    def _rows(self) -> Iterable[TaskRows]:
        return (*self._bundled, *self._learnt.values())

    def _index(self) -> None:
        # Replaced, never changed: readers look into it without the lock.
        self._by_name = _by_model(self._rows(), lambda one: one.name)
        self._by_key = None


def _by_model(
    rows: Iterable[TaskRows], key: Callable[[TaskRows], KeyT]
) -> dict[KeyT, dict[str, TaskRows]]:
    """By key, then by model; of two tasks of one model with the same key the later one counts."""
    found: dict[KeyT, dict[str, TaskRows]] = {}
    for one in rows:
        found.setdefault(key(one), {})[one.model] = one
    return found


def read_rows(bundle: Path, manifest: Manifest, lanes_of: LanesOf) -> tuple[TaskRows, ...]:
    """The tasks of a bundle that can be asked, in the order of their rows. Raises: BundleError."""
    table = manifest.tasks
    if table is None:
        return ()
    try:
        tasks = read_known_tasks(bundle / table.file)
    except InvalidTaskError as error:
        raise BundleError(str(error)) from error
    if len(tasks) != table.tasks:
        found = f"{len(tasks)} tasks, the manifest says {table.tasks}"
        raise BundleError(f"{bundle / table.file}: {found}")
    return tuple(
        TaskRows(
            name=known.name,
            puzzle=known.puzzle,
            task=known.task,
            model=manifest.name,
            first_task=i * table.variants,
            variants=table.variants,
            trained_steps=manifest.trained_supervision_steps,
            lanes=partial(lanes_of, known.puzzle),
        )
        for i, known in enumerate(tasks)
        if known.task is not None
    )
