"""What can be evaluated: a bundle or a checkpoint, opened for one puzzle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from export.bundle import restart_of
from export.kernel_runtime import KernelStepper
from export.lattice_weights import lattice_weights
from export.manifest import MANIFEST_FILE, BundleError, Manifest
from export.runtime import OnnxStepper
from kernel.isa import Precision, UnsupportedError
from kernel.lattice import LatticeKernel
from model.checkpoint import CheckpointError, load_model, load_voters, read_info, weights_sha256
from model.devices import resolve_device
from model.stepper import Stepper, TorchStepper
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from puzzles.restarts import Restart

Runtime = Literal["auto", "compiled", "onnxruntime"]


@dataclass(frozen=True)
class Subject:
    """A stepper, its model's name, how its attempts are told apart, and a digest of its weights.

    accelerator: what it runs on, if not on the CPU.
    """

    name: str
    stepper: Stepper
    restart: Restart
    sha256: str
    accelerator: str | None = None


def open_subject(
    path: Path,
    puzzle: str,
    *,
    threads: int | None = None,
    device: str = "cpu",
    runtime: Runtime = "auto",
    precision: Precision | None = None,
) -> Subject:
    """A bundle on the CPU, or a checkpoint's averaged weights on `device`.

    puzzle: a `PuzzleSpec.name`; runtime, precision: as the server has them. A checkpoint has no
    graphs: a lattice's steps on the CPU are compiled where that can be, all others PyTorch's.
    Raises: BundleError, CheckpointError, DeviceError.
    """
    if (path / MANIFEST_FILE).exists():
        manifest = Manifest.read(path)
        stepper = _open_stepper(path, manifest, puzzle, threads, runtime, precision)
        [graph] = [graph for graph in manifest.graphs if graph.spec.name == puzzle]
        return Subject(manifest.name, stepper, manifest.restart, graph.sha256)
    info = read_info(path)
    specs = {spec.name: spec for spec in info.specs}
    if puzzle not in specs:
        raise CheckpointError(f"{path}: knows no {puzzle}; it answers {', '.join(specs)}")
    if threads is not None:
        torch.set_num_threads(threads)
    resolved = resolve_device(device)
    trm = load_model(path).to(resolved)
    compiled = _compiled_stepper(trm, specs[puzzle], threads, runtime, precision)
    return Subject(
        f"{info.name} at {info.optimizer_steps}",
        compiled or TorchStepper(trm, specs[puzzle]),
        restart_of(info),
        weights_sha256(path, "ema"),
        torch.cuda.get_device_name(resolved) if resolved.type == "cuda" else None,
    )


def _compiled_stepper(
    trm: TinyRecursiveModel,
    spec: PuzzleSpec,
    threads: int | None,
    runtime: Runtime,
    precision: Precision | None,
) -> KernelStepper | None:
    """Of a lattice on the CPU; None where PyTorch has to make the steps.

    Raises: CheckpointError if compiled steps are asked for and cannot be had, or a graph is.
    """
    if runtime == "onnxruntime":
        raise CheckpointError("a checkpoint has no graphs for onnxruntime: export it")
    try:
        if trm.config.cell != "lattice" or trm.y_start.device.type != "cpu":
            raise UnsupportedError("compiled steps are of a lattice, and on the CPU")
        weights = lattice_weights(trm)
        kernel = LatticeKernel.open(weights, spec, precision=precision, threads=threads)
    except UnsupportedError as error:
        if runtime == "compiled":
            raise CheckpointError(str(error)) from error
        return None
    return KernelStepper(kernel, spec)


def open_voters(
    path: Path, puzzle: str, *, threads: int | None = None, device: str = "cpu"
) -> list[Stepper]:
    """The further networks of what `open_subject` opens, which vote on tasks; mostly none.

    Raises: BundleError, CheckpointError, DeviceError.
    """
    if (path / MANIFEST_FILE).exists():
        entries = Manifest.read(path).voters
        return [
            OnnxStepper.of_entry(path, entry, threads=threads)
            for entry in entries
            if entry.spec.name == puzzle
        ]
    resolved = resolve_device(device)
    return [
        TorchStepper(trm.to(resolved), spec)
        for trm in load_voters(path)
        for spec in trm.specs
        if spec.name == puzzle
    ]


def _open_stepper(
    bundle: Path,
    manifest: Manifest,
    puzzle: str,
    threads: int | None,
    runtime: Runtime,
    precision: Precision | None,
) -> Stepper:
    graph = OnnxStepper.open(bundle, puzzle, threads=threads)
    if runtime == "onnxruntime" or (runtime == "auto" and manifest.kernel is None):
        return graph
    try:
        return KernelStepper.open(
            bundle, manifest, graph.spec, precision=precision, threads=threads
        )
    except UnsupportedError as error:
        raise BundleError(f"{bundle}: {error}") from error
