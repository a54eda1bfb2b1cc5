"""The losses of one supervision step. Source: TRM reference, models/losses.py."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the field's name for it)
from torch import Tensor

from model.trm import StepOutput
from training.recipe import Loss, LossName

IGNORED_LABEL = -100
STABLEMAX_EPSILON = 1e-30


@dataclass(frozen=True)
class StepLoss:
    """total: scalar to minimise; answer, halt: its parts.

    exact: (B,) bool, every cell right; refuted: (B,) bool, the question has no solution.
    winners: (B / chains,) int64, the rows that were trained; None: all were.
    """

    total: Tensor
    answer: Tensor
    halt: Tensor
    exact: Tensor
    refuted: Tensor
    winners: Tensor | None = None


def stablemax_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:  # noqa: ARG001
    """Per-cell loss (B, S) float64, 0 where ignored; s(v) = v + 1 above 0, 1 / (1 − v) below.

    In float64, as the reference: s is flat far from 0, and float32 loses its small differences.
    """
    wide = logits.double()
    # torch.where computes both branches: clamping keeps the unused one's gradient finite.
    below = 1.0 / (1.0 - wide.clamp(max=0.0) + STABLEMAX_EPSILON)
    score = torch.where(wide < 0, below, wide + 1.0)
    chosen = score.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    loss = score.sum(-1).log() - chosen.log()
    return torch.where(labels == IGNORED_LABEL, 0.0, loss)


def softmax_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Per-cell loss (B, S) float32, 0 where ignored."""
    return F.cross_entropy(
        logits.transpose(1, 2),
        labels,
        ignore_index=IGNORED_LABEL,
        reduction="none",
        label_smoothing=smoothing,
    )


ANSWER_LOSSES: Mapping[LossName, Callable[[Tensor, Tensor, float], Tensor]] = {
    "stablemax": stablemax_cross_entropy,
    "softmax": softmax_cross_entropy,
}


def answer_loss(logits: Tensor, labels: Tensor, loss: Loss) -> Tensor:
    """Mean over the labelled cells of each row: (B, S, V), (B, S) int64 -> (B,)."""
    per_cell = ANSWER_LOSSES[loss.name](logits, labels, loss.label_smoothing)
    labelled = (labels != IGNORED_LABEL).sum(-1).clamp(min=1)
    return per_cell.sum(-1) / labelled


def step_loss(output: StepOutput, labels: Tensor, loss: Loss, chains: int = 1) -> StepLoss:
    """answer loss + q_weight · halting loss, means over the rows; labels: (B, S) int64.

    A question without a solution has no labels: its answer costs nothing, and q shall be lower
    than that of an open question, which is `undecided`. Of so many chains of a question, rows that
    follow each other, only the one with the lowest answer loss counts (arXiv 2601.19085).
    """
    refuted = (labels == IGNORED_LABEL).all(-1)
    right = (output.logits.argmax(-1) == labels) | (labels == IGNORED_LABEL)
    exact = right.all(-1) & ~refuted
    answers = answer_loss(output.logits, labels, loss)
    target = torch.where(refuted, 0.0, torch.where(exact, 1.0, loss.undecided))
    halts = F.binary_cross_entropy_with_logits(output.q_halt, target, reduction="none")
    winners = None
    if chains > 1:
        groups = answers.detach().unflatten(0, (-1, chains))
        firsts = torch.arange(0, len(answers), chains, device=answers.device)
        winners = firsts + groups.argmin(1)
        answers, halts = answers[winners], halts[winners]
    answer, halt = answers.mean(), halts.mean()
    return StepLoss(answer + loss.q_weight * halt, answer, halt, exact, refuted, winners)
