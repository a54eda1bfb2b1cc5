"""What can be evaluated: a bundle or a checkpoint, opened for one puzzle."""

from dataclasses import dataclass
from pathlib import Path

import torch

from export.bundle import restart_of
from export.manifest import MANIFEST_FILE, Manifest
from export.runtime import OnnxStepper
from model.checkpoint import CheckpointError, load_model, read_info
from model.devices import resolve_device
from model.stepper import Stepper, TorchStepper
from puzzles.restarts import Restart


@dataclass(frozen=True)
class Subject:
    """A stepper, its model's name and how its attempts are told apart."""

    name: str
    stepper: Stepper
    restart: Restart


def open_subject(
    path: Path, puzzle: str, *, threads: int | None = None, device: str = "cpu"
) -> Subject:
    """A bundle by onnxruntime on the CPU, a checkpoint's averaged weights by PyTorch on `device`.

    puzzle: a `PuzzleSpec.name`. Raises: BundleError, CheckpointError, DeviceError.
    """
    if (path / MANIFEST_FILE).exists():
        manifest = Manifest.read(path)
        return Subject(
            manifest.name, OnnxStepper.open(path, puzzle, threads=threads), manifest.restart
        )
    info = read_info(path)
    specs = {spec.name: spec for spec in info.specs}
    if puzzle not in specs:
        raise CheckpointError(f"{path}: knows no {puzzle}; it answers {', '.join(specs)}")
    if threads is not None:
        torch.set_num_threads(threads)
    stepper = TorchStepper(load_model(path).to(resolve_device(device)), specs[puzzle])
    return Subject(f"{info.name} at {info.optimizer_steps}", stepper, restart_of(info))
