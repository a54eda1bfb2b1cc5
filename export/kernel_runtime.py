"""A bundle's compiled kernel driven from Python, through the same interface as the graphs."""

from typing import final

import numpy as np
import numpy.typing as npt

from kernel.lattice import LatticeKernel
from model.stepper import StepAnswers, Stepper
from puzzles.kind import PuzzleSpec


@final
class KernelStepper(Stepper):
    """Steps by compiled code on the CPU."""

    def __init__(self, kernel: LatticeKernel, spec: PuzzleSpec) -> None:
        self._kernel = kernel
        self._spec = spec

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
        return StepAnswers(stepped.answer, stepped.q_halt)
