"""The validation monitor: exact accuracy of averaged weights on puzzles kept out of training."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from model.trm import Carry, TinyRecursiveModel
from puzzles.kind import PuzzleKind
from training.dataset import PuzzleSet

BATCH_ROWS = 128


@dataclass(frozen=True)
class Validation:
    """exact: share of puzzles whose every cell is right after the last step.

    solved: … after any step up to the last; q_error: Brier score of q after the last step.
    """

    exact: float
    solved: float
    q_error: float


@final
class Monitor:
    """A fixed sample of one validation split, solved with plain starts."""

    def __init__(
        self, kind: PuzzleKind, puzzles: PuzzleSet, *, count: int, device: torch.device
    ) -> None:
        # Evenly spaced: a split lies source by source, and its beginning is only the first source.
        chosen = np.linspace(0, len(puzzles) - 1, min(count, len(puzzles))).astype(np.int64)
        self._tokens = torch.from_numpy(kind.encode_flat(puzzles.questions[chosen])).to(device)
        self._labels = torch.from_numpy(kind.encode_flat(puzzles.answers[chosen])).to(device)

    @torch.inference_mode()
    def measure(
        self, trm: TinyRecursiveModel, supervision_steps: int, dtype: torch.dtype
    ) -> Validation:
        """Run every puzzle for exactly `supervision_steps`."""
        exact, solved, q_error, rows = 0.0, 0.0, 0.0, len(self._tokens)
        for begin in range(0, rows, BATCH_ROWS):
            tokens = self._tokens[begin : begin + BATCH_ROWS]
            labels = self._labels[begin : begin + BATCH_ROWS]
            rights, q_halt = _solve(trm, tokens, labels, supervision_steps, dtype)
            exact += rights[-1].sum().item()
            solved += rights.any(0).sum().item()
            q_error += (q_halt.sigmoid() - rights[-1].float()).square().sum().item()
        return Validation(exact=exact / rows, solved=solved / rows, q_error=q_error / rows)


def _solve(
    trm: TinyRecursiveModel,
    tokens: Tensor,
    labels: Tensor,
    supervision_steps: int,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Right answers by supervision step, (T, B) bool; q after the last, (B,) float32 logit."""
    noise = torch.zeros(len(tokens), trm.state_len(tokens.shape[1]), device=tokens.device)
    carry: Carry = trm.start(noise, dtype)
    rights = []
    for _ in range(supervision_steps):
        output = trm(tokens, carry)
        carry = output.carry
        rights.append((output.logits.argmax(-1) == labels).all(-1))
    return torch.stack(rights), output.q_halt
