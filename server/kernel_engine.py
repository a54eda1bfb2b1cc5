"""The lattice's compiled kernel as an engine."""

from pathlib import Path
from typing import final

from export.manifest import BundleError, KernelEntry
from kernel.isa import Precision
from kernel.lattice import LatticeKernel
from kernel.weights import LatticeWeights, WeightsError
from puzzles.kind import PuzzleSpec
from server.engine import Engine, StepAnswers, StepInputs


@final
class KernelEngine(Engine):
    """Supervision steps by code that was compiled for this CPU."""

    def __init__(self, kernel: LatticeKernel) -> None:
        self._kernel = kernel

    @classmethod
    def open(
        cls,
        bundle: Path,
        entry: KernelEntry,
        spec: PuzzleSpec,
        *,
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> "KernelEngine":
        """Compile for the weights of `bundle`/`entry.file`.

        Raises: BundleError; kernel.isa.UnsupportedError if this CPU lacks the precision.
        """
        try:
            weights = LatticeWeights.load(bundle / entry.file)
        except WeightsError as error:
            raise BundleError(str(error)) from error
        return cls(LatticeKernel.open(weights, spec, precision=precision, threads=threads))

    @property
    def runtime(self) -> str:
        return f"compiled {self._kernel.precision}"

    @property
    def state_len(self) -> int:
        return self._kernel.state_len

    def step(self, inputs: StepInputs) -> StepAnswers:
        stepped = self._kernel.step(inputs.tokens, inputs.source, inputs.noise)
        return StepAnswers(stepped.answer, stepped.q_halt, stepped.logits)

    def reset(self) -> None:
        self._kernel.reset()
