"""Checkpoint to bundle: step graphs, their parity, and the manifest that vouches for them."""

import logging
import shutil
from pathlib import Path

import numpy as np

from export.errors import ExportError
from export.kernel_runtime import KernelStepper
from export.lattice_weights import lattice_weights
from export.manifest import (
    Accuracy,
    GraphEntry,
    KernelEntry,
    Manifest,
    ParityReport,
    Precision,
    SourceCheckpoint,
    TaskTable,
    file_sha256,
)
from export.parity import MAX_SUPERVISION_STEPS, compare, solve_all
from export.parity_cases import draw_cases
from export.precision import reduce_precision
from export.reweighting import write_reweighted_graph
from export.runtime import OnnxStepper
from export.step_graph import OPSET, write_step_graph
from kernel.lattice import LatticeKernel
from kernel.weights import LatticeWeights
from model.body import ShapeError
from model.checkpoint import (
    CheckpointInfo,
    copy_weights,
    load_model,
    load_voters,
    read_info,
    weights_sha256,
)
from model.stepper import Stepper, TorchStepper
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from puzzles.known_tasks import KNOWN_TASKS_FILE
from puzzles.restarts import Restart

log = logging.getLogger(__name__)

PARITY_PUZZLES = 200
# Of a graph that was compared so with other weights: if these were not where they should be, that
# would show in every puzzle, and soon.
REWEIGHTED_PARITY_PUZZLES = 8
REWEIGHTED_PARITY_STEPS = 4  # supervision steps: a fresh one and three that go on
PARITY_SEED = 0
KERNEL_FILE = "kernel-weights.npz"
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
    like: a bundle of the same network, whose float32 step graphs are taken, with these weights,
    instead of being traced again: a second in place of a minute; what does not fit is traced.
    parity_puzzles: None stands for PARITY_PUZZLES, or for REWEIGHTED_PARITY_PUZZLES of a graph
    that was taken.
    Written aside and renamed: on any failure there is nothing at `out`.
    Raises: CheckpointError, ContractError, ParityError; ExportError if `out` exists or a size
    suits no such model.
    """
    if out.exists():
        raise ExportError(f"{out} exists; a bundle is never overwritten")
    info, trm = read_info(checkpoint), _load(checkpoint, also)
    aside = out.with_name(f"{out.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
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
            graphs=tuple(
                _export_graph(trm, spec, aside, precision, parity_puzzles, like)
                for spec in trm.specs
            ),
            kernel=_export_kernel(trm, aside, parity_puzzles or PARITY_PUZZLES),
            tasks=_export_tasks(checkpoint, info, aside, precision, parity_puzzles, like),
            accuracy=accuracy,
        )
        manifest.write(aside)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    log.info("bundle written", extra={"path": str(out), "graphs": len(manifest.graphs)})
    return manifest


def _load(checkpoint: Path, also: tuple[PuzzleSpec, ...]) -> TinyRecursiveModel:
    """Averaged weights, for the puzzles that they were trained on and some more."""
    trained = load_model(checkpoint)
    if not also:
        return trained
    try:
        return trained.for_puzzles(tuple(dict.fromkeys((*trained.specs, *also))))
    except ShapeError as error:
        raise ExportError(f"further sizes: {error}") from error


def check_parity(
    trm: TinyRecursiveModel,
    spec: PuzzleSpec,
    graph: Path,
    puzzles: int,
    precision: Precision = "float32",
    max_steps: int = MAX_SUPERVISION_STEPS,
) -> ParityReport:
    """Compare whole solves of the model and of its graph. Raises: ParityError."""
    stepper = OnnxStepper(
        graph, spec, state_len=trm.state_len(spec.seq_len), hidden_size=trm.config.hidden_size
    )
    return _compare_solves(trm, stepper, puzzles, precision, max_steps)


def _compare_solves(
    trm: TinyRecursiveModel,
    stepper: Stepper,
    puzzles: int,
    precision: Precision = "float32",
    max_steps: int = MAX_SUPERVISION_STEPS,
) -> ParityReport:
    spec, rng = stepper.spec, np.random.default_rng(PARITY_SEED)
    tasks = trm.config.tasks * trm.config.task_variants
    cases = draw_cases(spec, puzzles, state_len=stepper.state_len, tasks=tasks, rng=rng)
    ours = solve_all(TorchStepper(trm, spec), cases, max_steps)
    return compare(ours, solve_all(stepper, cases, max_steps), spec.name, precision)


def _export_graph(
    trm: TinyRecursiveModel,
    spec: PuzzleSpec,
    directory: Path,
    precision: Precision,
    parity_puzzles: int | None,
    like: Path | None,
    name: str = "step",
) -> GraphEntry:
    path = directory / f"{name}-{spec.name}.onnx"
    parity = None
    if like is not None and precision == "float32":
        parity = _take_graph(trm, spec, path, like, parity_puzzles or REWEIGHTED_PARITY_PUZZLES)
    if parity is None:
        write_step_graph(trm, spec, path)
        reduce_precision(path, precision)
        parity = check_parity(trm, spec, path, parity_puzzles or PARITY_PUZZLES, precision)
    log.info("step graph agrees", extra={"puzzle": spec.name, **parity.model_dump()})
    return GraphEntry(
        spec=spec,
        file=path.name,
        sha256=file_sha256(path),
        precision=precision,
        state_len=trm.state_len(spec.seq_len),
        hidden_size=trm.config.hidden_size,
        parity=parity,
    )


def _take_graph(
    trm: TinyRecursiveModel, spec: PuzzleSpec, path: Path, like: Path, parity_puzzles: int
) -> ParityReport | None:
    """Write the graph of the bundle `like` with these weights; None if it has to be traced."""
    try:
        write_reweighted_graph(trm, spec, like, path)
        return check_parity(trm, spec, path, parity_puzzles, max_steps=REWEIGHTED_PARITY_STEPS)
    except ExportError as error:  # what is wrong with that graph is nothing against a new one
        log.warning("%s is traced again: %s", path.name, error, extra={"puzzle": spec.name})
        return None


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
        parity[spec.name] = _compare_solves(trm, KernelStepper(kernel, spec), parity_puzzles)
        log.info("compiled kernel agrees", extra={"puzzle": spec.name})
    return KernelEntry(file=path.name, sha256=file_sha256(path), parity=parity)


def _export_tasks(
    checkpoint: Path,
    info: CheckpointInfo,
    directory: Path,
    precision: Precision,
    parity_puzzles: int | None,
    like: Path | None,
) -> TaskTable | None:
    """The known tasks, the networks that vote on them, and what adapting to others begins with.

    None for models without tasks.
    """
    if not (checkpoint / KNOWN_TASKS_FILE).exists():
        return None
    path = directory / KNOWN_TASKS_FILE
    shutil.copyfile(checkpoint / KNOWN_TASKS_FILE, path)
    copy_weights(checkpoint, directory / CHECKPOINT_DIRECTORY)
    return TaskTable(
        file=path.name,
        sha256=file_sha256(path),
        tasks=info.config.tasks,
        variants=info.config.task_variants,
        checkpoint=CHECKPOINT_DIRECTORY,
        voters=tuple(
            _export_graph(voter, spec, directory, precision, parity_puzzles, like, f"voter-{i}")
            for i, voter in enumerate(load_voters(checkpoint), 2)
            for spec in voter.specs
        ),
    )


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
