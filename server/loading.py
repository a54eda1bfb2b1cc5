"""From bundle directories to a solver that is loaded and warm."""

import logging
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from export.manifest import BundleError, GraphEntry, Manifest
from kernel.isa import UnsupportedError
from kernel.lattice import usable_cores
from puzzles.errors import UnknownKindError
from puzzles.kind import PuzzleKind
from puzzles.registry import by_name
from server.effort import BudgetRules
from server.engine import Engine, OnnxEngine
from server.kernel_engine import KernelEngine
from server.lane import Lane
from server.metrics import Metrics
from server.scheduler import Scheduler
from server.self_check import check_agreement
from server.settings import Settings, find_bundle
from server.solver import Solver
from server.tasks.catalog import read_catalog
from server.tasks.service import Tasks
from server.tuning import measured_slots

TASK_SLOTS = 8  # of a learnt task: one question in all turns; measuring takes longer than it saves

log = logging.getLogger(__name__)


def load_solver(settings: Settings) -> Solver:
    """Load every bundle of the settings and run one step of each of its graphs.

    Raises: BundleError if anything is not as its manifest says, or two bundles serve one puzzle.
    """
    bundles = [find_bundle(path) for path in settings.bundles]
    manifests = [Manifest.read(bundle) for bundle in bundles]
    lanes: dict[str, Lane] = {}
    for bundle, manifest in zip(bundles, manifests, strict=True):
        for lane in _open_lanes(bundle, manifest, settings):
            if lane.name in lanes:
                raise BundleError(f"{bundle}: {lane.name} is served by another bundle already")
            lanes[lane.name] = lane
        log.info("bundle loaded", extra={"bundle": str(bundle), "model": manifest.name})
    return Solver(
        tuple(lanes.values()),
        manifests,
        BudgetRules(
            max_steps=settings.max_steps,
            attempts=settings.attempts,
            max_steps_limit=settings.max_steps_limit,
            attempts_limit=settings.attempts_limit,
            effort=settings.effort,
        ),
        Metrics(version("ponder")),
        catalog=read_catalog(zip(bundles, manifests, strict=True)),
    )


def open_tasks(solver: Solver, settings: Settings) -> Tasks | None:
    """Where tasks are learnt; None if the settings or the bundles have no use for it.

    Raises: TaskDirectoryError, StorageError.
    """
    bundles = [find_bundle(path) for path in settings.bundles]
    pairs = list(zip(bundles, solver.manifests, strict=True))
    if not settings.adapt or not any(manifest.tasks for manifest in solver.manifests):
        return None
    return Tasks(solver, settings, pairs, lambda bundle: open_task_lane(bundle, settings))


def open_task_lane(bundle: Path, settings: Settings) -> Lane:
    """The one lane of a learnt task's bundle, warm. Raises: BundleError."""
    slots = settings.slots or TASK_SLOTS
    manifest = Manifest.read(bundle)
    [lane] = _open_lanes(bundle, manifest, settings.model_copy(update={"slots": slots}))
    return lane


def _open_lanes(bundle: Path, manifest: Manifest, settings: Settings) -> Iterator[Lane]:
    for entry in manifest.graphs:
        puzzle = _puzzle_of(bundle, entry)
        try:
            engine = _open_engine(bundle, manifest, entry, settings)
            slots = settings.slots or measured_slots(
                engine, puzzle, at_least=settings.threads or usable_cores()
            )
        except BundleError:
            raise
        except Exception as error:  # onnxruntime's errors have no common base
            raise BundleError(f"{bundle / entry.file}: the first step failed: {error}") from error
        lane = Lane(
            model=manifest.name,
            puzzle=puzzle,
            restart=manifest.restart,
            engine=engine,
            scheduler=Scheduler(slots=slots, queue_limit=settings.queue_limit),
        )
        lane.warm()
        log.info(
            "lane open", extra={"puzzle": lane.name, "runtime": engine.runtime, "slots": slots}
        )
        yield lane


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
    check_agreement(kernel, graph, entry.spec)
    return kernel


def _puzzle_of(bundle: Path, entry: GraphEntry) -> PuzzleKind:
    try:
        puzzle = by_name(entry.spec.name)
    except UnknownKindError as error:
        raise BundleError(f"{bundle}: {error}") from error
    if puzzle.spec != entry.spec:
        raise BundleError(f"{bundle}: its {entry.spec.name} is not the puzzle that we know")
    return puzzle
