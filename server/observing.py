"""What an observer of a job is told of each supervision step; nobody makes it for other jobs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from puzzles.kind import Grid, Verdict, View

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SeenStep:
    """One supervision step of one job. The arrays are copies: they may wait.

    attempt: counts from 1; view: how it sees the question.
    answer: (H, W), the view undone, and the rules' verdict of it.
    halt_probability: None for a broken network's NaN.
    confidence: (S,) of each cell as the view sees it; None where the graph has no logits.
    """

    attempt: int
    view: View
    answer: Grid
    verdict: Verdict
    halt_probability: float | None
    confidence: Floats | None


# Called on the worker's thread, between supervision steps that others wait for: it must be quick.
Observer = Callable[[SeenStep], None]


def confidence_of(logits: Floats) -> Floats:
    """Softmax of each cell's logits at its arg-max: (B, S, N) -> (B, S), 0..1, NaN for NaN."""
    with np.errstate(invalid="ignore"):
        likelihoods = np.exp(logits - logits.max(axis=-1, keepdims=True))
    sums: Floats = likelihoods.sum(axis=-1)
    return np.float32(1) / sums
