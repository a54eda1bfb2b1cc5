"""The validation monitor: exact accuracy of averaged weights on puzzles kept out of training."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from kernel.lattice import LatticeKernel
from model.trm import Carry, TinyRecursiveModel
from puzzles.arc import PAD_TOKEN
from puzzles.kind import PuzzleKind
from training.dataset import DatasetError, PuzzleSet
from training.losses import IGNORED_LABEL
from training.task_pool import LearntTasks
from training.task_set import TaskSet, answered

BATCH_ROWS = 128


@dataclass(frozen=True)
class Validation:
    """exact: share of puzzles whose every cell is right after the last step.

    solved: … after any step up to the last; q_error: Brier score of q after the last step.
    """

    exact: float
    solved: float
    q_error: float


@dataclass(frozen=True)
class HeldOut:
    """tokens: (N, S); labels: (N, S), IGNORED_LABEL where any answer is right; task: (N,) or None.

    All int64, on the CPU.
    """

    tokens: Tensor
    labels: Tensor
    task: Tensor | None = None


def evenly_spaced(kind: PuzzleKind, validation: Path, count: int) -> HeldOut:
    """`count` puzzles of a data set's validation split. Raises: DatasetError.

    Evenly spaced: a split lies source by source, and its beginning is only the first source.
    """
    puzzles = PuzzleSet.open(validation, "validation", puzzle=kind.spec.name)
    chosen = np.linspace(0, len(puzzles) - 1, min(count, len(puzzles))).astype(np.int64)
    return HeldOut(
        torch.from_numpy(kind.encode_flat(puzzles.questions[chosen])).long(),
        torch.from_numpy(kind.encode_flat(puzzles.answers[chosen])).long(),
    )


def answered_questions(learnt: LearntTasks, validation: Path) -> HeldOut:
    """The answered questions of those tasks of a task set that are learnt, as they are.

    Raises: DatasetError, also if there are none.
    """
    arc = learnt.arc
    places = {named.name: i for i, named in enumerate(learnt.tasks)}
    pairs = [
        (pair, learnt.first_task + places[named.name] * learnt.variants)
        for named in TaskSet.open(validation, puzzle=arc.spec.name, with_answers=True).tasks
        if named.name in places
        for pair in answered(named.task)
        if pair.side <= arc.size
    ]
    if not pairs:
        raise DatasetError(f"{validation}: no answered question of a task that is trained on")
    tokens, labels = (
        torch.from_numpy(np.stack([arc.encode(arc.on_canvas(grid)) for grid in grids])).long()
        for grids in ([p.question for p, _ in pairs], [p.answer for p, _ in pairs])
    )
    labels = torch.where(labels == PAD_TOKEN, IGNORED_LABEL, labels)
    return HeldOut(tokens, labels, torch.tensor([task for _, task in pairs]))


@final
class Monitor:
    """Puzzles kept out of training, solved with plain starts."""

    def __init__(self, held_out: HeldOut, device: torch.device) -> None:
        self._tokens, self._labels = held_out.tokens.to(device), held_out.labels.to(device)
        self._task = None if held_out.task is None else held_out.task.to(device)

    @torch.inference_mode()
    def measure(
        self,
        trm: TinyRecursiveModel,
        supervision_steps: int,
        dtype: torch.dtype,
        *,
        kernel: LatticeKernel | None = None,
    ) -> Validation:
        """Run every puzzle for exactly `supervision_steps`; by `kernel` if there is one for it."""
        exact, solved, q_error, rows = 0.0, 0.0, 0.0, len(self._tokens)
        for begin in range(0, rows, BATCH_ROWS):
            part = slice(begin, begin + BATCH_ROWS)
            task = None if self._task is None else self._task[part]
            held_out = HeldOut(self._tokens[part], self._labels[part], task)
            rights, q_halt = (
                _solve(trm, held_out, supervision_steps, dtype)
                if kernel is None
                else _solve_compiled(kernel, held_out, supervision_steps)
            )
            exact += rights[-1].sum().item()
            solved += rights.any(0).sum().item()
            q_error += (q_halt.sigmoid() - rights[-1].float()).square().sum().item()
        return Validation(exact=exact / rows, solved=solved / rows, q_error=q_error / rows)


def _solve(
    trm: TinyRecursiveModel, held_out: HeldOut, supervision_steps: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Right answers by supervision step, (T, B) bool; q after the last, (B,) float32 logit."""
    tokens, labels = held_out.tokens, held_out.labels
    noise = torch.zeros(len(tokens), trm.state_len(tokens.shape[1]), device=tokens.device)
    carry: Carry = trm.start(noise, dtype)
    rights = []
    for _ in range(supervision_steps):
        output = trm(tokens, carry, held_out.task)
        carry = output.carry
        right = (output.logits.argmax(-1) == labels) | (labels == IGNORED_LABEL)
        rights.append(right.all(-1))
    return torch.stack(rights), output.q_halt


def _solve_compiled(
    kernel: LatticeKernel, held_out: HeldOut, supervision_steps: int
) -> tuple[Tensor, Tensor]:
    """As `_solve`; a lattice's puzzles have neither tasks nor cells where any answer is right."""
    tokens, labels = (
        array.numpy().astype(np.int32) for array in (held_out.tokens, held_out.labels)
    )
    rows = len(tokens)
    noise = np.zeros((rows, kernel.state_len), np.float32)
    source, rights = np.full(rows, -1), []
    for _ in range(supervision_steps):
        answers = kernel.step(tokens, source, noise)
        rights.append(torch.from_numpy((answers.answer == labels).all(-1)))
        source = np.arange(rows)
    return torch.stack(rights), torch.from_numpy(answers.q_halt)
