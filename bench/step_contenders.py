"""What makes supervision steps in `bench step`: our engines, PyTorch, and GEMM as the limit.

Each contender is opened once for a model and then makes steps of any batch size.
"""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bench.engines import ENGINES, EngineChoice, Place, Precision, UnavailableError
from bench.models import Measured
from model.config import ModelConfig
from model.flops import Product, refinement_products
from model.lattice import LatticeBlock
from model.sequence import AttentionBlock, MixerBlock
from model.stepper import FRESH, TorchStepper
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from server.engine import StepInputs

BLOCKS = (LatticeBlock, MixerBlock, AttentionBlock)
MOST_UNROLLED = 8  # blocks in one compiled piece: 42 of the paper's take minutes per batch size
TORCH_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LIMITS: dict[Precision, Precision] = {  # the GEMM that a step of this precision is held against
    "float32": "float32",
    "float16": "bfloat16",
    "bfloat16": "bfloat16",
    "int8": "bfloat16",
}


class StepContender(ABC):
    """Makes supervision steps, or the matrix products of some."""

    def __init__(self, name: str, precision: Precision) -> None:
        self.name = name
        self.precision = precision

    @abstractmethod
    def work(self, tokens: npt.NDArray[np.int32]) -> Callable[[], None]:
        """A call that makes one step of these rows, (B, S), and waits for it.

        The first call may be slow. Raises: UnavailableError if it fails for want of a compiler.
        """

    @property
    def steps_per_call(self) -> float:
        """Supervision steps that one call is worth, of every row."""
        return 1.0


@final
class EngineSteps(StepContender):
    """An engine as the server drives it: rows go on, answers come back to the host."""

    def __init__(self, choice: EngineChoice, measured: Measured, place: Place) -> None:
        """Raises: UnavailableError, BundleError."""
        super().__init__(choice.name, choice.precision)
        self._engine = choice.open(measured.subject, place)

    def work(self, tokens: npt.NDArray[np.int32]) -> Callable[[], None]:
        engine, rows = self._engine, len(tokens)
        noise = np.zeros((rows, engine.state_len), np.float32)
        engine.reset()
        engine.step(StepInputs(tokens, np.full(rows, FRESH, np.int64), noise))
        inputs = StepInputs(tokens, np.arange(rows, dtype=np.int64), noise)

        def step() -> None:
            engine.step(inputs)

        return step


@final
class TorchSteps(StepContender):
    """PyTorch with the same network, eager or compiled."""

    def __init__(
        self, measured: Measured, place: Place, precision: Precision, *, compiled: bool
    ) -> None:
        """Raises: UnavailableError where nothing can be compiled, or the network is not known."""
        super().__init__(f"{'torch.compile' if compiled else 'torch'} {precision}", precision)
        if compiled:
            _check_compiler(place)
        trm = measured.network().to(place.device)
        if compiled:
            for part in _parts_to_compile(trm):
                part.compile(dynamic=False)
        self._stepper = TorchStepper(trm, measured.spec, TORCH_TYPES[precision])

    def work(self, tokens: npt.NDArray[np.int32]) -> Callable[[], None]:
        stepper, rows = self._stepper, len(tokens)
        noise = np.zeros((rows, stepper.state_len), np.float32)
        source = np.arange(rows, dtype=np.int64)
        try:
            stepper.step(tokens, np.full(rows, FRESH, np.int64), noise)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            raise UnavailableError(f"{self.name}: cannot be compiled here: {reason}") from error

        def step() -> None:
            stepper.step(tokens, source, noise)

        return step


@final
class Gemm(StepContender):
    """The matrix products of one refinement, and nothing between them: the limit."""

    def __init__(
        self, config: ModelConfig, spec: PuzzleSpec, place: Place, precision: Precision
    ) -> None:
        super().__init__(f"GEMM {precision}", precision)
        self._products = refinement_products(config, spec)
        self._device = torch.device(place.device)
        self._type = TORCH_TYPES[precision]
        refinements = config.deep_recursions * (config.latent_recursions + 1)
        self._steps_per_call = 1 / refinements

    @property
    def steps_per_call(self) -> float:
        return self._steps_per_call

    def work(self, tokens: npt.NDArray[np.int32]) -> Callable[[], None]:
        calls = [call for p in self._products for call in self._calls(p, len(tokens))]
        synchronize = torch.cuda.synchronize if self._device.type == "cuda" else _nothing

        def multiply() -> None:
            for a, b, out in calls:
                torch.matmul(a, b, out=out)
            synchronize()

        return multiply

    def _calls(
        self, product: Product, batch: int
    ) -> Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Operands and room for each of the product's matrix products over the whole batch."""
        matrices: tuple[int, ...] = ()
        if product.shared:  # rows of all puzzles in one matrix
            rows, times = batch * product.rows, product.times
        else:
            matrices, rows, times = (batch * product.times,), product.rows, 1
        a = torch.randn(*matrices, rows, product.inner, device=self._device).to(self._type)
        b = torch.randn(*matrices, product.inner, product.columns, device=self._device)
        b = b.to(self._type)
        out = torch.matmul(a, b)
        return [(a, b, out)] * times


def open_contenders(
    measured: Measured, place: Place
) -> tuple[list[StepContender], tuple[str, ...]]:
    """Everything that can make steps of this network here, and why the others cannot."""
    openers: list[Callable[[], StepContender]] = [
        *(lambda choice=choice: EngineSteps(choice, measured, place) for choice in ENGINES),
        lambda: TorchSteps(measured, place, "float32", compiled=False),
        lambda: TorchSteps(measured, place, "bfloat16", compiled=True),
    ]
    if config := measured.config:
        openers += [
            lambda: Gemm(config, measured.spec, place, "float32"),
            lambda: Gemm(config, measured.spec, place, "bfloat16"),
        ]
    contenders, notes = [], []
    for open_ in openers:
        try:
            contenders.append(open_())
        except UnavailableError as error:
            notes.append(str(error))
    return contenders, tuple(dict.fromkeys(notes))


def _parts_to_compile(trm: TinyRecursiveModel) -> Iterable[nn.Module]:
    """The whole step, or where it repeats its blocks too often for that, each block."""
    config = trm.config
    repeats = config.blocks * config.deep_recursions * (config.latent_recursions + 1)
    if repeats <= MOST_UNROLLED:
        return (trm,)
    return (module for module in trm.modules() if isinstance(module, BLOCKS))


def _nothing() -> None:
    """The CPU is done when a call returns."""


def _check_compiler(place: Place) -> None:
    compiler = os.environ.get("CXX", "g++")
    if place.device == "cpu" and shutil.which(compiler) is None:
        raise UnavailableError(f"torch.compile: there is no compiler {compiler!r} here")
