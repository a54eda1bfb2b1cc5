"""Every engine that the server can run a bundle with, best first. One more is one more line."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from bench.report import BenchError
from export.manifest import GraphEntry, Manifest
from export.manifest import Precision as GraphPrecision
from kernel.isa import Precision as KernelPrecision
from kernel.isa import UnsupportedError
from server.engine import Engine, OnnxEngine
from server.kernel_engine import KernelEngine
from server.settings import Device

Precision = Literal["float32", "float16", "bfloat16", "int8"]


class UnavailableError(Exception):
    """A contender that cannot run here; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where and how contenders compute. threads: CPU threads of each of them."""

    device: Device
    threads: int

    @property
    def accelerator(self) -> str | None:
        """Name of the GPU; None on the CPU, or if this PyTorch sees none."""
        if self.device == "cpu" or not torch.cuda.is_available():
            return None
        return torch.cuda.get_device_name()


@dataclass(frozen=True)
class Subject:
    """A bundle on disk and the graph of one of its puzzle sizes.

    reduced: the same graph in int8, beside it, where there is one.
    """

    bundle: Path
    manifest: Manifest
    entry: GraphEntry
    reduced: GraphEntry | None = None

    @classmethod
    def open(cls, bundle: Path, puzzle: str) -> "Subject":
        """Raises: BundleError; BenchError if the bundle has no such graph."""
        manifest = Manifest.read(bundle)
        for entry in manifest.graphs:
            if entry.spec.name == puzzle:
                return cls(bundle, manifest, entry)
        names = ", ".join(entry.spec.name for entry in manifest.graphs)
        raise BenchError(f"{bundle}: no graph for {puzzle}; it has {names}")


@dataclass(frozen=True)
class EngineChoice:
    """An engine by name. `open` raises UnavailableError where it cannot run this subject."""

    name: str
    precision: Precision
    open: Callable[[Subject, Place], Engine]


def _open_kernel(subject: Subject, place: Place, *, precision: KernelPrecision) -> Engine:
    kernel = subject.manifest.kernel
    if kernel is None or place.device != "cpu":
        raise UnavailableError(f"compiled: not for {subject.manifest.name} on {place.device}")
    spec = subject.entry.spec
    try:
        return KernelEngine.open(
            subject.bundle, kernel, spec, precision=precision, threads=place.threads
        )
    except UnsupportedError as error:
        raise UnavailableError(f"compiled {precision}: {error}") from error


def _open_onnx(subject: Subject, place: Place, *, precision: GraphPrecision) -> Engine:
    for entry in (subject.entry, subject.reduced):
        if entry is not None and entry.precision == precision:
            return OnnxEngine(subject.bundle, entry, device=place.device, threads=place.threads)
    raise UnavailableError(f"onnxruntime: {subject.manifest.name} has no {precision} graph")


ENGINES = (
    EngineChoice("compiled bfloat16", "bfloat16", partial(_open_kernel, precision="bfloat16")),
    EngineChoice("compiled float32", "float32", partial(_open_kernel, precision="float32")),
    EngineChoice("onnxruntime float32", "float32", partial(_open_onnx, precision="float32")),
    EngineChoice("onnxruntime int8", "int8", partial(_open_onnx, precision="int8")),
)


def open_engine(subject: Subject, place: Place, name: str | None = None) -> tuple[str, Engine]:
    """The engine of this name, or the best that runs here, as the server takes it; its name too.

    Raises: BenchError, BundleError.
    """
    reasons = []
    for choice in ENGINES:
        if name in (None, choice.name):
            try:
                return choice.name, choice.open(subject, place)
            except UnavailableError as error:
                reasons.append(str(error))
    known = ", ".join(choice.name for choice in ENGINES)
    raise BenchError("; ".join(reasons) or f"no engine {name!r}; there are {known}")
