"""A bundle's compiled kernel driven from Python, through the same interface as the graphs."""

from pathlib import Path
from typing import final

import numpy as np
import numpy.typing as npt

from export.manifest import BundleError, Manifest
from kernel.isa import Precision
from kernel.lattice import LatticeKernel
from kernel.weights import LatticeWeights, WeightsError
from model.stepper import StepAnswers, Stepper
from puzzles.kind import PuzzleSpec


@final
class KernelStepper(Stepper):
    """Steps by compiled code on the CPU."""

    def __init__(self, kernel: LatticeKernel, spec: PuzzleSpec) -> None:
        self._kernel = kernel
        self._spec = spec

    @classmethod
    def open(
        cls,
        bundle: Path,
        manifest: Manifest,
        spec: PuzzleSpec,
        *,
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> "KernelStepper":
        """A bundle's weights, for this machine.

        Raises: BundleError if it has none; UnsupportedError.
        """
        if manifest.kernel is None:
            raise BundleError(f"{bundle}: no weights for compiled code; export it again")
        try:
            weights = LatticeWeights.load(bundle / manifest.kernel.file)
        except WeightsError as error:
            raise BundleError(str(error)) from error
        return cls(LatticeKernel.open(weights, spec, precision=precision, threads=threads), spec)

    @property
    def spec(self) -> PuzzleSpec:
        return self._spec

    @property
    def state_len(self) -> int:
        return self._kernel.state_len

    def step(
        self,
        tokens: npt.NDArray[np.int32],
        source: npt.NDArray[np.int64],
        noise: npt.NDArray[np.float32],
        task: npt.NDArray[np.int64] | None = None,  # noqa: ARG002 (a lattice has no tasks)
    ) -> StepAnswers:
        stepped = self._kernel.step(tokens, source, noise)
        return StepAnswers(stepped.answer, stepped.q_halt, stepped.logits)
