"""Put an ARC task set together: read the published files, choose by size, keep answers out.

A pair leaks if training would see it (turned or recoloured, whoever's it is) and it is the answer
of an evaluation task, or belongs to a task that was to be left out.
"""

import gzip
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from puzzles.arc import ARCS, Arc
from puzzles.arc_task import ArcTask, InvalidTaskError, Pair
from training.dataset import DatasetError
from training.made.tasks import made_tasks
from training.task_set import MADE_SOURCE, NamedTask, TaskSetInfo, answered, write_task_set

log = logging.getLogger(__name__)

NAMED_AT_MOST = 8  # leaking tasks, in an error


@dataclass(frozen=True)
class ArcRequest:
    """What `ponder data arc` was asked for.

    train: files whose every pair is trained on; evaluate: files whose demonstrations are, their
    answers being kept for evaluation; without: names of tasks to keep out altogether; made: how
    many tasks to make, with `made_pairs` pairs each.
    """

    canvas: Arc
    train: tuple[Path, ...] = ()
    evaluate: tuple[Path, ...] = ()
    without: frozenset[str] = frozenset()
    largest: int | None = None  # side of a grid; None: the canvas
    drop_leaks: bool = False
    made: int = 0
    made_pairs: int = 24
    seed: int = 0

    @property
    def longest(self) -> int:
        """Side that no grid exceeds."""
        return min(self.largest or self.canvas.size, self.canvas.size)


@dataclass(frozen=True)
class _Read:
    """Tasks for training, for evaluation, and those that no training may see.

    repeated: names of further tasks that had the name of one before.
    """

    train: list[NamedTask]
    evaluate: list[NamedTask]
    kept_out: list[NamedTask]
    repeated: list[str]


def canvas_of_size(size: int) -> Arc:
    """The canvas with this side. Raises: DatasetError."""
    for arc in ARCS:
        if arc.size == size:
            return arc
    known = ", ".join(str(arc.size) for arc in ARCS)
    raise DatasetError(f"canvas {size}: no such canvas; sides are {known}")


def read_names(path: Path) -> frozenset[str]:
    """Task names from a text file, one a line; `#` begins a comment. Raises: DatasetError."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    names = (line.partition("#")[0].strip() for line in lines)
    return frozenset(name for name in names if name)


def build_arc(request: ArcRequest, directory: Path, progress: Progress) -> TaskSetInfo:
    """Build the task set `directory`.

    Raises: DatasetError for unreadable files, leaks that shall not be dropped, no tasks at all, or
    a directory that exists.
    """
    if directory.exists():
        raise DatasetError(f"{directory}: exists already; choose another or remove it")
    read = _read_all(request)
    if request.made:
        read.train.extend(_made(request, progress))
    leaks = _leaks(read, progress)
    for name, why in leaks.items():
        log.warning("leak", extra={"task": name, "why": why})
    if leaks and not request.drop_leaks:
        shown = [f"{name} {why}" for name, why in list(leaks.items())[:NAMED_AT_MOST]]
        more = [f"and {len(leaks) - NAMED_AT_MOST} more"] if len(leaks) > NAMED_AT_MOST else []
        text = "; ".join(shown + more)
        raise DatasetError(f"training would see what it must not: {text}. --drop-leaks drops them")
    tasks = [task for task in read.train + read.evaluate if task.name not in leaks]
    if not tasks:
        raise DatasetError("no tasks: name files with --train or --evaluate, or a larger canvas")
    made = [task for task in read.train if task.source == MADE_SOURCE]
    counts = {"train": len(read.train) - len(made), "evaluate": len(read.evaluate)}
    provenance = [f"{use}: {count} tasks" for use, count in counts.items() if count]
    if made:
        of = f"{request.made_pairs} pairs, seed {request.seed}"
        provenance.append(f"made: {len(made)} tasks of {of}")
    provenance += [f"dropped {name}: {why}" for name, why in leaks.items()]
    provenance += [f"{count} × {what}" for what, count in Counter(read.repeated).items()]
    if read.kept_out:
        provenance.append(f"kept out {len(read.kept_out)} tasks by name")
    return write_task_set(directory, tasks, puzzle=request.canvas.spec.name, provenance=provenance)


def read_tasks(path: Path) -> Iterator[NamedTask]:
    """The tasks of a published file, {name: {train, test}}; .gz is read. Raises: DatasetError."""
    raw = _json(path)
    if not isinstance(raw, dict):
        raise DatasetError(f"{path}: expected an object of tasks by name")
    source = path.name.removesuffix(".gz").removesuffix(".json")
    for name, task in raw.items():
        try:
            yield NamedTask(name, source, ArcTask.read(task))
        except InvalidTaskError as error:
            raise DatasetError(f"{path}: task {name}: {error}") from error


def one_task(path: Path, name: str | None) -> NamedTask:
    """The task of a file that holds one, or the one of this name. Raises: DatasetError."""
    raw = _json(path)
    if isinstance(raw, dict) and "train" in raw:
        try:
            return NamedTask(name or path.stem, path.name, ArcTask.read(raw))
        except InvalidTaskError as error:
            raise DatasetError(f"{path}: {error}") from error
    found = [task for task in read_tasks(path) if task.name == name]
    if not found:
        what = "many tasks, name one" if name is None else f"no task {name}"
        raise DatasetError(f"{path}: holds {what}")
    return found[0]


def _json(path: Path) -> Any:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            return json.load(file)
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error


def _read_all(request: ArcRequest) -> _Read:
    read = _Read([], [], [], [])
    seen: dict[str, str] = {}
    for files, tasks in ((request.evaluate, read.evaluate), (request.train, read.train)):
        for path in files:
            for named in read_tasks(path):
                if named.name in request.without:
                    read.kept_out.append(named)
                elif _side(named.task) > request.longest:
                    continue
                elif named.name in seen:  # ARC-2 repeats most of ARC-1, under the same names
                    read.repeated.append(f"{named.source} repeats {seen[named.name]}")
                else:
                    seen[named.name] = named.source
                    tasks.append(named)
    read.train[:] = [NamedTask(t.name, t.source, _all_shown(t.task)) for t in read.train]
    missing = request.without - {named.name for named in read.kept_out}
    if missing:
        raise DatasetError(f"no file holds {', '.join(sorted(missing)[:NAMED_AT_MOST])}")
    return read


def _made(request: ArcRequest, progress: Progress) -> Iterator[NamedTask]:
    tasks = made_tasks(request.made, request.made_pairs, request.seed, request.longest)
    return iter(progress.track(tasks, total=request.made, description="making tasks"))


def _side(task: ArcTask) -> int:
    return max([task.side, *(pair.side for pair in answered(task))])


def _all_shown(task: ArcTask) -> ArcTask:
    """A task whose answered questions are demonstrations too."""
    return ArcTask(tuple(_every_pair(task)))


def _leaks(read: _Read, progress: Progress) -> dict[str, str]:
    """Why, by the name of each task with a demonstration that training must not see.

    That a published task shows its own answer (turned or recoloured) is how it is.
    """
    secret = {key: (name, "an answer") for key, name in _keys(read.evaluate, answered)}
    secret |= {key: (name, "a pair") for key, name in _keys(read.kept_out, _every_pair)}
    leaks: dict[str, str] = {}
    tasks = read.train + read.evaluate
    for named in progress.track(tasks, description="looking for leaks"):
        for key, _ in _keys([named], lambda task: task.demonstrations):
            owner, what = secret.get(key, (named.name, ""))
            if owner != named.name:
                leaks[named.name] = f"shows {what} of {owner}"
    return leaks


def _every_pair(task: ArcTask) -> Sequence[Pair]:
    return task.demonstrations + answered(task)


def _keys(
    tasks: Iterable[NamedTask], pairs: Callable[[ArcTask], Sequence[Pair]]
) -> Iterator[tuple[bytes, str]]:
    for named in tasks:
        for pair in pairs(named.task):
            yield ArcTask((pair,)).canonical.key, named.name
