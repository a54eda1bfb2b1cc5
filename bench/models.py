"""The networks that `bench step` measures: a bundle's, and the paper's with random weights."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.engines import Subject, UnavailableError
from export.errors import ExportError
from export.lattice_weights import lattice_weights
from export.manifest import (
    GraphEntry,
    KernelEntry,
    Manifest,
    ParityReport,
    SourceCheckpoint,
    file_sha256,
)
from export.precision import reduce_precision
from export.step_graph import OPSET, write_step_graph
from kernel.weights import KERNEL_FILE, LatticeWeights
from model.config import ModelConfig
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from puzzles.restarts import Restart
from training.starting import lattice_config

# TRM-MLP on Sudoku: arXiv 2510.04871, section 5.
PAPER_MLP = ModelConfig(
    cell="mlp", hidden_size=512, blocks=2, latent_recursions=6, deep_recursions=3
)
SEED = 0
NO_PARITY = ParityReport(
    puzzles=0, supervision_steps=0, same_answers=0, same_steps=0, largest_q_halt_difference=0.0
)


@dataclass(frozen=True)
class Measured:
    """A bundle's graph of one puzzle, and the sizes of its network.

    config: None where the bundle does not tell them, so that PyTorch cannot run the like.
    """

    subject: Subject
    config: ModelConfig | None

    @property
    def name(self) -> str:
        """The bundle's, from its manifest."""
        return self.subject.manifest.name

    @property
    def spec(self) -> PuzzleSpec:
        """The puzzle that is measured."""
        return self.subject.entry.spec

    def network(self) -> TinyRecursiveModel:
        """The same network for PyTorch, with random weights. Raises: UnavailableError."""
        if self.config is None:
            raise UnavailableError(f"{self.name}: its bundle does not tell the network's sizes")
        return random_network(self.config, self.spec)


def random_network(config: ModelConfig, spec: PuzzleSpec) -> TinyRecursiveModel:
    """A network as it is before training; always the same weights."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(SEED)
        return TinyRecursiveModel(config, (spec,)).eval()


def of_bundle(bundle: Path, puzzle: str) -> Measured:
    """A bundle's network for one puzzle size. Raises: BundleError, WeightsError, BenchError."""
    subject = Subject.open(bundle, puzzle)
    manifest = subject.manifest
    if manifest.kernel is None:
        return Measured(subject, None)
    network = LatticeWeights.load(bundle / manifest.kernel.file).network
    return Measured(subject, lattice_config(network))


def write_random_bundle(
    name: str, config: ModelConfig, spec: PuzzleSpec, directory: Path
) -> Measured:
    """Export an untrained network to a bundle at `directory`, which exists and is empty."""
    trm = random_network(config, spec)
    path = directory / f"step-{spec.name}.onnx"
    write_step_graph(trm, spec, path)
    entry = GraphEntry(
        spec=spec,
        file=path.name,
        sha256=file_sha256(path),
        state_len=trm.state_len(spec.seq_len),
        hidden_size=config.hidden_size,
        parity=NO_PARITY,
    )
    manifest = Manifest(
        name=name,
        cell=config.cell,
        opset=OPSET,
        parameters=sum(parameter.numel() for parameter in trm.parameters()),
        latent_recursions=config.latent_recursions,
        deep_recursions=config.deep_recursions,
        trained_supervision_steps=0,
        source=SourceCheckpoint(name="random", sha256="0" * 64, optimizer_steps=0),
        restart=Restart(by="views"),
        graphs=(entry,),
        kernel=_write_kernel(trm, directory),
    )
    manifest.write(directory)
    return Measured(Subject(directory, manifest, entry, _reduced(directory, entry)), config)


def _reduced(directory: Path, entry: GraphEntry) -> GraphEntry | None:
    """The same graph in int8, beside it; None for one whose weights are too few to matter."""
    path = directory / f"int8-{entry.file}"
    shutil.copyfile(directory / entry.file, path)
    try:
        reduce_precision(path, "int8")
    except ExportError:
        return None
    changes = {"file": path.name, "sha256": file_sha256(path), "precision": "int8"}
    return entry.model_copy(update=changes)


def _write_kernel(trm: TinyRecursiveModel, directory: Path) -> KernelEntry | None:
    if trm.config.cell != "lattice":
        return None
    path = directory / KERNEL_FILE
    lattice_weights(trm).save(path)
    return KernelEntry(file=path.name, sha256=file_sha256(path), parity={})
