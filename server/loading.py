"""From bundle directories to a solver that is loaded and warm."""

import logging
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from export.manifest import MANIFEST_FILE, BundleError, GraphEntry, Manifest
from kernel.isa import UnsupportedError
from kernel.lattice import usable_cores
from puzzles.errors import UnknownKindError
from puzzles.kind import PuzzleKind
from puzzles.registry import by_name
from server.effort import BudgetRules
from server.engine import Engine, OnnxEngine
from server.kernel_engine import KernelEngine
from server.lane import Job, Lane
from server.loaded import Loaded, OpenBundle
from server.metrics import Metrics
from server.scheduler import Scheduler
from server.self_check import check_agreement
from server.settings import Settings, find_bundle
from server.solver import Solver
from server.tasks.catalog import TaskRows, read_rows
from server.tasks.service import Tasks
from server.tuning import Capacity, measured_capacity

TASK_SLOTS = 8  # of a learnt task: one question in all turns; measuring takes longer than it saves

log = logging.getLogger(__name__)


class StepShape(NamedTuple):
    """What decides how long a supervision step takes; two that are equal take the same time."""

    network: tuple[str, int]  # cell, parameters
    recursions: tuple[int, int]  # latent, deep
    puzzle: tuple[str, int, int]  # name, L and D of the carry
    runtime: str


NOTHING_MEASURED: Mapping[StepShape, Capacity] = {}


def load_solver(settings: Settings) -> Solver:
    """Load every bundle of the settings and run one step of each of its graphs.

    Raises: BundleError if anything is not as its manifest says, or two bundles have one name.
    """
    return Solver(
        Loaded(open_bundles(settings)),
        BudgetRules(
            max_steps=settings.max_steps,
            attempts=settings.attempts,
            max_steps_limit=settings.max_steps_limit,
            attempts_limit=settings.attempts_limit,
            effort=settings.effort,
        ),
        Metrics(version("ponder")),
    )


def open_bundles(settings: Settings, before: Sequence[OpenBundle] = ()) -> tuple[OpenBundle, ...]:
    """The bundles that are in the settings' directories now, warm.

    before: those that are open; one whose files are the same is taken over with its lanes.
    Raises: BundleError naming the bundle and what is wrong with it.
    """
    found = [_read(find_bundle(path)) for path in settings.bundles]
    paths: dict[str, Path] = {}
    for one in found:
        if one.name in paths:
            raise BundleError(f"{one.path}: {paths[one.name]} is called {one.name} too")
        paths[one.name] = one.path
    same = {one.raw: one for one in before}
    measured = {
        _shape(one.manifest, entry, lane.runtime): Capacity(lane.slots, lane.scheduler.parallel)
        for one in before
        for entry in one.manifest.graphs
        for lane in one.lanes
        if lane.name == entry.spec.name
    }
    return tuple(
        replace(same[one.raw], path=one.path)
        if one.raw in same
        else _opened(one, settings, measured)
        for one in found
    )


def open_tasks(solver: Solver, settings: Settings) -> Tasks | None:
    """Where tasks are learnt; None if the settings or the bundles have no use for it.

    Raises: TaskDirectoryError, StorageError.
    """
    if not settings.adapt or not any(one.manifest.tasks for one in solver.loaded.bundles):
        return None
    return Tasks(solver, settings, lambda bundle: open_task_lanes(bundle, settings))


def open_task_lanes(bundle: Path, settings: Settings) -> tuple[Lane, ...]:
    """The lanes of a learnt task's bundle, one for each network, warm. Raises: BundleError."""
    manifest = Manifest.read(bundle)
    slots = {"slots": settings.slots or TASK_SLOTS}
    [lane] = _open_lanes(bundle, manifest, manifest.graphs, settings.model_copy(update=slots))
    return (lane, *_open_voters(bundle, manifest, {lane.name}, settings))


def _read(bundle: Path) -> OpenBundle:
    """A bundle whose files are what its manifest says; nothing is open yet. Raises: BundleError."""
    manifest = Manifest.read(bundle)
    puzzles = [entry.spec.name for entry in manifest.graphs]
    if len(set(puzzles)) < len(puzzles):
        raise BundleError(f"{bundle}: several graphs for one puzzle: {', '.join(puzzles)}")
    return OpenBundle(bundle, _manifest_bytes(bundle), manifest, lanes=())


def _manifest_bytes(bundle: Path) -> bytes:
    """Raises: BundleError."""
    try:
        return (bundle / MANIFEST_FILE).read_bytes()
    except OSError as error:
        raise BundleError(f"{bundle}: {error}") from error


def _opened(
    read: OpenBundle, settings: Settings, measured: Mapping[StepShape, Capacity]
) -> OpenBundle:
    """Raises: BundleError, also where the directory is another one by the time it is read."""
    path, manifest = read.path, read.manifest
    lanes: dict[str, Lane] = {}

    def all_of(puzzle: str) -> tuple[Lane, ...]:
        return (lanes[puzzle], *(lane for lane in voters if lane.name == puzzle))

    tasks = read_rows(path, manifest, all_of)
    served = _served(path, manifest, tasks)
    lanes |= {lane.name: lane for lane in _open_lanes(path, manifest, served, settings, measured)}
    voters = _open_voters(path, manifest, {task.puzzle for task in tasks}, settings)
    if Manifest.read(path) != manifest or _manifest_bytes(path) != read.raw:
        raise BundleError(f"{path}: it changed while it was read")
    log.info("bundle loaded", extra={"bundle": str(path), "model": manifest.name})
    return replace(read, lanes=tuple(lanes.values()), tasks=tasks)


def _served(bundle: Path, manifest: Manifest, tasks: Sequence[TaskRows]) -> tuple[GraphEntry, ...]:
    """The graphs that can be asked. One of a canvas that no known task is on is there for others.

    These are learnt on it, and take the graph with them (`export.reweighting`).
    Raises: BundleError for a task whose canvas has no graph.
    """
    asked = {task.puzzle: task.name for task in tasks}
    names = {graph.spec.name for graph in manifest.graphs}
    for puzzle, name in asked.items():
        if puzzle not in names:
            raise BundleError(f"{bundle}: {name} is of {puzzle}: no such graph")
    return tuple(
        graph for graph in manifest.graphs if not graph.spec.uses_task or graph.spec.name in asked
    )


def _shape(manifest: Manifest, entry: GraphEntry, runtime: str) -> StepShape:
    return StepShape(
        (manifest.cell, manifest.parameters),
        (manifest.latent_recursions, manifest.deep_recursions),
        (entry.spec.name, entry.state_len, entry.hidden_size),
        runtime,
    )


def _open_voters(
    bundle: Path, manifest: Manifest, canvases: Set[str], settings: Settings
) -> tuple[Lane, ...]:
    """Lanes of the further networks that vote on a bundle's tasks, which are on these canvases.

    Raises: BundleError.
    """
    slots = {"slots": settings.slots or TASK_SLOTS}
    asked = [entry for entry in manifest.voters if entry.spec.name in canvases]
    few = settings.model_copy(update=slots)
    return tuple(_open_lanes(bundle, manifest, asked, few))


def _open_lanes(
    bundle: Path,
    manifest: Manifest,
    entries: Sequence[GraphEntry],
    settings: Settings,
    measured: Mapping[StepShape, Capacity] = NOTHING_MEASURED,
) -> Iterator[Lane]:
    """measured: of lanes in use, while nothing else ran."""
    for entry in entries:
        puzzle = _puzzle_of(bundle, entry)
        try:
            engine = _open_engine(bundle, manifest, entry, settings)
            known = measured.get(_shape(manifest, entry, engine.runtime))
            capacity = _given(settings) or known or _measured(engine, puzzle, settings)
        except BundleError:
            raise
        except Exception as error:  # onnxruntime's errors have no common base
            raise BundleError(f"{bundle / entry.file}: the first step failed: {error}") from error
        lane = Lane(
            model=manifest.name,
            puzzle=puzzle,
            restart=manifest.restart,
            engine=engine,
            scheduler=Scheduler(
                slots=capacity.slots,
                queue_limit=settings.queue_limit,
                parallel=capacity.parallel,
                divisible=Job.may_divide,
            ),
        )
        _warm(lane, bundle / entry.file)
        log.info(
            "lane open",
            extra={
                "model": lane.model,
                "puzzle": lane.name,
                "runtime": engine.runtime,
                "slots": capacity.slots,
                "parallel_attempts": capacity.parallel,
            },
        )
        yield lane


def _given(settings: Settings) -> Capacity | None:
    """What the settings say, if they say how many slots."""
    if settings.slots is None:
        return None
    return Capacity(settings.slots, settings.parallel_attempts or 1)


def _measured(engine: Engine, puzzle: PuzzleKind, settings: Settings) -> Capacity:
    found = measured_capacity(engine, puzzle, at_least=settings.threads or usable_cores())
    return found._replace(parallel=settings.parallel_attempts or found.parallel)


def _warm(lane: Lane, graph: Path) -> None:
    """Raises: BundleError."""
    try:
        lane.warm()
    except Exception as error:  # onnxruntime's errors have no common base
        raise BundleError(f"{graph}: the first step failed: {error}") from error


def _open_engine(bundle: Path, manifest: Manifest, entry: GraphEntry, settings: Settings) -> Engine:
    """Compiled code where the settings and the bundle have it so, onnxruntime otherwise.

    Raises: BundleError.
    """
    graph = OnnxEngine(
        bundle,
        entry,
        device=settings.device,
        threads=settings.threads,
        buckets=settings.buckets,
        cuda_graphs=settings.cuda_graphs,
    )
    if settings.runtime == "onnxruntime" or settings.device != "cpu":
        return graph
    if manifest.kernel is None:
        if settings.runtime == "compiled":
            raise BundleError(f"{bundle}: no weights for compiled code; export it again")
        return graph
    try:
        kernel = KernelEngine.open(
            bundle,
            manifest.kernel,
            entry.spec,
            precision=None if settings.precision == "auto" else settings.precision,
            threads=settings.threads,
        )
    except UnsupportedError as error:
        raise BundleError(f"{bundle}: {error}") from error
    try:
        check_agreement(kernel, graph, entry.spec)
    except BundleError as error:
        raise BundleError(f"{bundle}: {error}") from error
    return kernel


def _puzzle_of(bundle: Path, entry: GraphEntry) -> PuzzleKind:
    try:
        puzzle = by_name(entry.spec.name)
    except UnknownKindError as error:
        raise BundleError(f"{bundle}: {error}") from error
    if puzzle.spec != entry.spec:
        raise BundleError(f"{bundle}: its {entry.spec.name} is not the puzzle that we know")
    return puzzle
