"""One supervision step of a rolling batch with its gradients: by PyTorch, or by compiled code."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from kernel.isa import UnsupportedError, multiplies_bfloat16
from kernel.lattice import LatticeKernel
from kernel.training import KernelTraining, TrainedStep
from kernel.weights import LatticeWeights, PaletteWeights, Weights
from model.config import Cell
from model.palette import PaletteBody
from model.trm import Carry, StepOutput, TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from training.losses import StepLoss, step_loss
from training.recipe import Lane, Recipe
from training.row_loss import compiled_row_loss, supports


@dataclass(frozen=True)
class Stepped:
    """carry: the next step's; logits: (B, S, N) float32, of each cell's symbols.

    q_halt: (B,) float32 logit; task_gradient: (B, E), of the rows of the task table, or None.
    Nothing of it has a gradient.
    """

    carry: Carry
    logits: Tensor
    q_halt: Tensor
    loss: StepLoss
    task_gradient: Tensor | None = None


class TrainingStep(ABC):
    """Runs a batch once and leaves the loss's gradients in the model's parameters."""

    @property
    @abstractmethod
    def runtime(self) -> str:
        """What makes the steps, for people."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Of the carry."""

    @abstractmethod
    def __call__(
        self, tokens: Tensor, labels: Tensor, carry: Carry, task: Tensor | None = None
    ) -> Stepped:
        """tokens, labels: (B, S) int64; task: (B,) int64 where puzzles have tasks."""


KERNEL_WEIGHTS: Mapping[Cell, type[LatticeWeights | PaletteWeights]] = {
    "lattice": LatticeWeights,
    "palette": PaletteWeights,
}


def kernel_weights(trm: TinyRecursiveModel) -> Weights:
    """A model's weights as compiled code reads them; of a cell in KERNEL_WEIGHTS, on the CPU."""
    config = trm.config
    return KERNEL_WEIGHTS[config.cell].of_state(
        {name: tensor.numpy() for name, tensor in trm.state_dict().items()},
        latent_recursions=config.latent_recursions,
        deep_recursions=config.deep_recursions,
    )


def own_rows(trm: TinyRecursiveModel, task: Tensor | None) -> Tensor | None:
    """(B, E) of the task table, apart from it, so that the table gets no gradient."""
    if task is None or trm.body.tasks is None:
        return None
    return trm.body.tasks.detach()[trm.body.table_row(task)].requires_grad_()


def fast_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """Of a recipe's matrix products: bfloat16 if it says so and the device multiplies that."""
    half = recipe.precision == "bfloat16" and (device.type != "cpu" or multiplies_bfloat16())
    return torch.bfloat16 if half else torch.float32


@final
class TorchStep(TrainingStep):
    """On any device, compiled by PyTorch if the recipe says so."""

    def __init__(
        self, trm: TinyRecursiveModel, spec: PuzzleSpec, recipe: Recipe, device: torch.device
    ) -> None:
        self._trm = trm
        self._first_symbol = spec.vocab_size - spec.symbols
        self._loss, self._chains = recipe.loss, recipe.halting.chains
        # A CPU may multiply in bfloat16, and does everything else faster in float32.
        dtype = fast_dtype(recipe, device)
        self._mixed = dtype is torch.bfloat16 and device.type == "cpu"
        self._dtype = torch.float32 if self._mixed else dtype
        self._forward = (
            torch.compile(self._loss_of, dynamic=False) if recipe.compile else self._loss_of
        )

    @property
    def runtime(self) -> str:
        name = str(self._dtype).removeprefix("torch.")
        return f"PyTorch {name}" + (", products in bfloat16" if self._mixed else "")

    @property
    def dtype(self) -> torch.dtype:
        return self._dtype

    def _loss_of(
        self, tokens: Tensor, labels: Tensor, y: Tensor, z: Tensor, task_rows: Tensor | None
    ) -> tuple[StepOutput, StepLoss]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self._mixed):
            output = self._trm.with_task_rows(tokens, Carry(y, z), task_rows)
        return output, step_loss(output, labels, self._loss, self._chains)

    def __call__(
        self, tokens: Tensor, labels: Tensor, carry: Carry, task: Tensor | None = None
    ) -> Stepped:
        own = own_rows(self._trm, task)
        task_rows = self._trm.body.look_up(task, own)
        output, loss = self._forward(tokens, labels, carry.y, carry.z, task_rows)
        loss.total.backward()
        logits = output.logits.detach()[..., self._first_symbol :]
        gradient = None if own is None else own.grad
        return Stepped(output.carry, logits, output.q_halt.detach(), loss, gradient)


@final
class KernelStep(TrainingStep):
    """Compiled for this CPU: each row forward and backward while it is in its core's cache."""

    def __init__(
        self,
        trm: TinyRecursiveModel,
        spec: PuzzleSpec,
        recipe: Recipe,
        *,
        batch: int,
        threads: int,
    ) -> None:
        """Raises: UnsupportedError."""
        self._trm, self._spec, self._threads = trm, spec, threads
        self._row_loss = compiled_row_loss(recipe.loss, batch)
        self._batch, self._symbols = batch, spec.symbols
        self._q_weight = recipe.loss.q_weight
        self._kernel = KernelTraining.open(
            kernel_weights(trm).network,
            spec,
            self._row_loss.address,
            batch=batch,
            precision="float32" if recipe.precision == "float32" else None,
            threads=threads,
        )

    @property
    def runtime(self) -> str:
        return f"compiled {self._kernel.precision}"

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def solver(self, trm: TinyRecursiveModel) -> LatticeKernel | None:
        """Compiled steps without gradients of a network like the trained one; None for palettes."""
        weights = kernel_weights(trm)
        if not isinstance(weights, LatticeWeights):
            return None
        return LatticeKernel.open(
            weights, self._spec, precision=self._kernel.precision, threads=self._threads
        )

    def __call__(
        self,
        tokens: Tensor,
        labels: Tensor,
        carry: Carry,
        task: Tensor | None = None,
    ) -> Stepped:
        own = own_rows(self._trm, task)
        told = self._told(tokens, task, own)
        stepped = self._kernel.step(
            kernel_weights(self._trm),
            tokens.numpy().astype(np.int32),
            labels.numpy().astype(np.int32),
            carry.y.numpy(),
            carry.z.numpy(),
            None if told is None else told.detach().numpy(),
        )
        self._leave_gradients(stepped, told)
        answer, halt, exact, refuted = torch.from_numpy(stepped.losses).unbind(1)
        answer, halt = answer.mean(), halt.mean()
        loss = StepLoss(answer + self._q_weight * halt, answer, halt, exact.bool(), refuted.bool())
        y, z, logits, q_halt = map(
            torch.from_numpy, (stepped.y, stepped.z, stepped.logits, stepped.q_halt)
        )
        gradient = None if own is None else own.grad
        return Stepped(Carry(y, z), logits[..., : self._symbols], q_halt, loss, gradient)

    def _told(self, tokens: Tensor, task: Tensor | None, own: Tensor | None) -> Tensor | None:
        """What a palette adds to the vectors of roles, (B, L, D) with gradient."""
        body = self._trm.body
        if not isinstance(body, PaletteBody):
            return None
        told = body.told(tokens, body.look_up(task, own))
        return told.expand(self._batch, -1, -1)

    def _leave_gradients(self, stepped: TrainedStep, told: Tensor | None) -> None:
        for name, parameter in self._trm.named_parameters():
            if name in stepped.gradients:
                parameter.grad = torch.from_numpy(stepped.gradients[name])
        if told is not None:
            told.backward(torch.from_numpy(stepped.told_gradients))


def training_step(
    trm: TinyRecursiveModel, spec: PuzzleSpec, recipe: Recipe, lane: Lane, device: torch.device
) -> TrainingStep:
    """What the recipe's `runtime` asks for, on this device.

    Raises: UnsupportedError if that is the kernel, and cannot be had.
    """
    if recipe.runtime == "torch":
        return TorchStep(trm, spec, recipe, device)
    try:
        _check_kernel(recipe, device)
        threads = torch.get_num_threads()
        return KernelStep(trm, spec, recipe, batch=lane.batch_size, threads=threads)
    except UnsupportedError:
        if recipe.runtime == "kernel":
            raise
        return TorchStep(trm, spec, recipe, device)


def _check_kernel(recipe: Recipe, device: torch.device) -> None:
    if device.type != "cpu":
        raise UnsupportedError(f"compiled training runs on the CPU, not on {device.type}")
    if recipe.model.cell not in KERNEL_WEIGHTS:
        known = " and ".join(KERNEL_WEIGHTS)
        raise UnsupportedError(f"compiled training knows {known}, not {recipe.model.cell!r}")
    if recipe.halting.chains > 1:
        raise UnsupportedError("compiled training knows one chain of a question")
    if not supports(recipe.loss):
        raise UnsupportedError("compiled training knows the softmax loss without label smoothing")
