"""From bundle directories to a solver that is loaded and warm."""

import logging
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from export.manifest import BundleError, GraphEntry, Manifest
from puzzles.errors import UnknownKindError
from puzzles.kind import PuzzleKind
from puzzles.registry import by_name
from server.engine import OnnxEngine
from server.lane import Lane
from server.metrics import Metrics
from server.scheduler import Scheduler
from server.settings import Settings, find_bundle
from server.solver import BudgetRules, Solver

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
        ),
        Metrics(version("ponder")),
    )


def _open_lanes(bundle: Path, manifest: Manifest, settings: Settings) -> Iterator[Lane]:
    for entry in manifest.graphs:
        lane = Lane(
            model=manifest.name,
            puzzle=_puzzle_of(bundle, entry),
            restart=manifest.restart,
            engine=OnnxEngine(bundle, entry, device=settings.device, threads=settings.threads),
            scheduler=Scheduler(slots=settings.slots, queue_limit=settings.queue_limit),
        )
        try:
            lane.warm()
        except Exception as error:  # onnxruntime's errors have no common base
            raise BundleError(f"{bundle / entry.file}: the first step failed: {error}") from error
        yield lane


def _puzzle_of(bundle: Path, entry: GraphEntry) -> PuzzleKind:
    try:
        puzzle = by_name(entry.spec.name)
    except UnknownKindError as error:
        raise BundleError(f"{bundle}: {error}") from error
    if puzzle.spec != entry.spec:
        raise BundleError(f"{bundle}: its {entry.spec.name} is not the puzzle that we know")
    return puzzle
