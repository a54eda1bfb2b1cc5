"""Checkpoint to bundle: step graphs, their parity, and the manifest that vouches for them."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from export.errors import ExportError
from export.graph_writer import PARITY_PUZZLES, GraphWriter, compare_solves
from export.kernel_runtime import KernelStepper
from export.lattice_weights import lattice_weights
from export.manifest import (
    Accuracy,
    GraphEntry,
    KernelEntry,
    Manifest,
    Precision,
    SourceCheckpoint,
    TaskTable,
    file_sha256,
)
from export.step_graph import OPSET
from kernel.lattice import LatticeKernel
from kernel.weights import KERNEL_FILE, LatticeWeights
from model.body import ShapeError
from model.checkpoint import (
    CheckpointInfo,
    copy_weights,
    load_model,
    load_voters,
    read_info,
    weights_sha256,
)
from model.trm import TinyRecursiveModel
from puzzles.arc_task import InvalidTaskError
from puzzles.kind import PuzzleSpec
from puzzles.known_tasks import KNOWN_TASKS_FILE, read_known_tasks
from puzzles.restarts import Restart

log = logging.getLogger(__name__)

CHECKPOINT_DIRECTORY = "checkpoint"
DEFAULT_NOISE_SCALE = 0.5  # of a lattice's restarts; what its recipe trains with


def export_bundle(
    checkpoint: Path,
    out: Path,
    *,
    name: str | None = None,
    precision: Precision = "float32",
    noise_scale: float = DEFAULT_NOISE_SCALE,
    accuracy: tuple[Accuracy, ...] = (),
    parity_puzzles: int | None = None,
    also: tuple[PuzzleSpec, ...] = (),
    like: Path | None = None,
) -> Manifest:
    """Write the bundle `out` from a checkpoint's averaged weights.

    precision: of the step graphs; a lattice's compiled kernel has its own. also: further sizes for
    a lattice or a palette, whose weights fit every size, whether they were trained on it or not.
    The graph of a canvas that no known task is on knows one task: it is there to be taken.
    like: a bundle of the same networks, whose float32 step graphs are taken, with these weights,
    instead of being traced again: a second in place of a minute; what does not fit is traced.
    parity_puzzles: None stands for PARITY_PUZZLES, or for REWEIGHTED_PARITY_PUZZLES of a graph
    that was taken.
    Written aside and renamed: on any failure there is nothing at `out`.
    Raises: CheckpointError, ContractError, ParityError; ExportError if `out` exists or a size
    suits no such model.
    """
    if out.exists():
        raise ExportError(f"{out} exists; a bundle is never overwritten")
    info, trm = read_info(checkpoint), _for_sizes(load_model(checkpoint), also)
    aside = out.with_name(f"{out.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        graphs = GraphWriter(aside, precision, parity_puzzles, like, _canvases(checkpoint))
        manifest = Manifest(
            name=name or info.name,
            cell=info.config.cell,
            opset=OPSET,
            parameters=sum(parameter.numel() for parameter in trm.parameters()),
            latent_recursions=info.config.latent_recursions,
            deep_recursions=info.config.deep_recursions,
            trained_supervision_steps=info.trained_supervision_steps,
            source=_source(checkpoint, info),
            restart=restart_of(info, noise_scale),
            graphs=graphs.write(trm),
            kernel=_export_kernel(trm, aside, parity_puzzles or PARITY_PUZZLES),
            tasks=_export_tasks(checkpoint, info, graphs, also),
            accuracy=accuracy,
        )
        manifest.write(aside)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    log.info("bundle written", extra={"path": str(out), "graphs": len(manifest.graphs)})
    return manifest


def _for_sizes(trained: TinyRecursiveModel, also: tuple[PuzzleSpec, ...]) -> TinyRecursiveModel:
    """For the puzzles that it was trained on and some more. Raises: ExportError."""
    if not also:
        return trained
    try:
        return trained.for_puzzles(tuple(dict.fromkeys((*trained.specs, *also))))
    except ShapeError as error:
        raise ExportError(f"further sizes: {error}") from error


def _export_kernel(
    trm: TinyRecursiveModel, directory: Path, parity_puzzles: int
) -> KernelEntry | None:
    """A lattice's weights for the compiled kernel, after float32 parity; None for other cells."""
    if trm.config.cell != "lattice":
        return None
    path = directory / KERNEL_FILE
    lattice_weights(trm).save(path)
    weights = LatticeWeights.load(path)
    parity = {}
    for spec in trm.specs:
        kernel = LatticeKernel.open(weights, spec, precision="float32")
        parity[spec.name] = compare_solves(trm, KernelStepper(kernel, spec), parity_puzzles)
        log.info("compiled kernel agrees", extra={"puzzle": spec.name})
    return KernelEntry(file=path.name, sha256=file_sha256(path), parity=parity)


def _canvases(checkpoint: Path) -> frozenset[str]:
    """Those that its known tasks are on, if it knows any. Raises: ExportError."""
    path = checkpoint / KNOWN_TASKS_FILE
    if not path.exists():
        return frozenset()
    try:
        return frozenset(task.puzzle for task in read_known_tasks(path))
    except InvalidTaskError as error:
        raise ExportError(str(error)) from error


def _export_tasks(
    checkpoint: Path, info: CheckpointInfo, graphs: GraphWriter, also: tuple[PuzzleSpec, ...]
) -> TaskTable | None:
    """The known tasks, the networks that vote on them, and what adapting to others begins with.

    None for models without tasks.
    """
    if not (checkpoint / KNOWN_TASKS_FILE).exists():
        return None
    path = graphs.directory / KNOWN_TASKS_FILE
    shutil.copyfile(checkpoint / KNOWN_TASKS_FILE, path)
    copy_weights(checkpoint, graphs.directory / CHECKPOINT_DIRECTORY)
    return TaskTable(
        file=path.name,
        sha256=file_sha256(path),
        tasks=info.config.tasks,
        variants=info.config.task_variants,
        checkpoint=CHECKPOINT_DIRECTORY,
        voters=tuple(_export_voters(checkpoint, info, graphs, also)),
    )


def _export_voters(
    checkpoint: Path, info: CheckpointInfo, graphs: GraphWriter, also: tuple[PuzzleSpec, ...]
) -> Iterator[GraphEntry]:
    """One of further sizes is there to be taken: networks of one shape need only one."""
    shapes = [info.config]
    for number, voter in enumerate(load_voters(checkpoint), 2):
        sizes = () if voter.config in shapes else also
        shapes.append(voter.config)
        yield from graphs.write(_for_sizes(voter, sizes), f"voter-{number}")


def _source(checkpoint: Path, info: CheckpointInfo) -> SourceCheckpoint:
    return SourceCheckpoint(
        name=info.name,
        sha256=weights_sha256(checkpoint, "ema"),
        optimizer_steps=info.optimizer_steps,
    )


def restart_of(info: CheckpointInfo, noise_scale: float = DEFAULT_NOISE_SCALE) -> Restart:
    """What tells a second attempt of this model from its first."""
    # Views do nothing for a lattice, which is equivariant to all of them.
    if info.config.cell == "lattice":
        return Restart(by="search", noise_scale=noise_scale, refuted_q=info.refuted_q)
    return Restart(by="views")
