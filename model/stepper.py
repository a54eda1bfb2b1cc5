"""One interface for driving whole solves, by PyTorch here or by onnxruntime in `export.runtime`.

A stepper keeps the carry; its caller says by `source` which row each question continues, so that
rows leave, move up and are refilled without anybody touching hidden state.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.trm import Carry, TinyRecursiveModel
from puzzles.kind import PuzzleSpec

FRESH = -1  # as `source`: this row starts anew


@dataclass(frozen=True)
class StepAnswers:
    """answer: (B, S) int32 arg-max tokens; q_halt: (B,) float32 logit of "solved".

    logits: (B, S, N) float32 of each cell's symbols; None for a puzzle without units.
    """

    answer: npt.NDArray[np.int32]
    q_halt: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32] | None = None


def symbol_logits(logits: Tensor, spec: PuzzleSpec) -> Tensor | None:
    """(B, S, V) of all tokens -> (B, S, N) of the symbols; None for a puzzle without units."""
    return logits[..., spec.vocab_size - spec.symbols :] if spec.symbols else None


class Stepper(ABC):
    """One model on one puzzle size; `step` after `step`, each continues the last one's carry."""

    @property
    @abstractmethod
    def spec(self) -> PuzzleSpec:
        """The puzzle it answers."""

    @property
    @abstractmethod
    def state_len(self) -> int:
        """L of the carry, and so of the noise."""

    @abstractmethod
    def step(
        self,
        tokens: npt.NDArray[np.int32],
        source: npt.NDArray[np.int64],
        noise: npt.NDArray[np.float32],
        task: npt.NDArray[np.int64] | None = None,
    ) -> StepAnswers:
        """One supervision step.

        tokens: (B, S); source: (B,) row of the previous step that this row continues, or FRESH;
        noise: (B, L) start noise, read at fresh rows only; task: (B,) where spec.uses_task.
        """


@final
class TorchStepper(Stepper):
    """Steps by PyTorch on the model's own device; the carry has `dtype`."""

    def __init__(
        self, trm: TinyRecursiveModel, spec: PuzzleSpec, dtype: torch.dtype = torch.float32
    ) -> None:
        self._trm = trm
        self._spec = spec
        self._dtype = dtype
        self._state_len = trm.state_len(spec.seq_len)
        self._carry = self._start(np.zeros((1, self._state_len), np.float32))

    @property
    def spec(self) -> PuzzleSpec:
        return self._spec

    @property
    def state_len(self) -> int:
        return self._state_len

    def _start(self, noise: npt.NDArray[np.float32]) -> Carry:
        with torch.inference_mode():
            at = self._trm.y_start.device
            return self._trm.start(torch.tensor(noise, device=at), self._dtype)

    def step(
        self,
        tokens: npt.NDArray[np.int32],
        source: npt.NDArray[np.int64],
        noise: npt.NDArray[np.float32],
        task: npt.NDArray[np.int64] | None = None,
    ) -> StepAnswers:
        carry, at = self._start(noise), self._trm.y_start.device
        continued = np.flatnonzero(source != FRESH)
        with torch.inference_mode():
            carry.y[continued] = self._carry.y[source[continued]]
            carry.z[continued] = self._carry.z[source[continued]]
            output = self._trm(
                torch.from_numpy(tokens).to(at),
                carry,
                torch.from_numpy(self._tasks(task, len(tokens))).to(at),
            )
        self._carry = output.carry
        answer = output.logits.argmax(-1).to("cpu", torch.int32).numpy()
        logits = symbol_logits(output.logits, self._spec)
        return StepAnswers(
            answer, output.q_halt.cpu().numpy(), None if logits is None else logits.cpu().numpy()
        )

    def _tasks(self, task: npt.NDArray[np.int64] | None, batch: int) -> npt.NDArray[np.int64]:
        # Without tasks of its own a puzzle is row 0 of the table, the reference's blank task.
        return np.zeros(batch, np.int64) if task is None else task
