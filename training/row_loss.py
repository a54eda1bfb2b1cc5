"""`training.losses.step_loss` of one row and its gradient, for compiled training steps.

A C function of numba's: the kernel calls it between a row's forward and backward pass.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types
from numba.core.types import CPointer
from numba.np.numpy_support import carray

from training.losses import IGNORED_LABEL
from training.recipe import Loss

FloatArray = npt.NDArray[np.float32]

_FLOATS, _INTS = CPointer(types.float32), CPointer(types.int32)
_SIGNATURE = types.void(*(types.int64,) * 3, _FLOATS, _FLOATS, _INTS, _FLOATS, _FLOATS, _FLOATS)


class RowLoss(NamedTuple):
    """address: of the C function; owner: keeps its code alive."""

    address: int
    owner: Any


class Values(NamedTuple):
    """What a row reports, in this order; exact and refuted are 0 or 1."""

    answer: float
    halt: float
    exact: float
    refuted: float


def supports(loss: Loss) -> bool:
    """Whether this file knows the loss: the softmax without label smoothing."""
    return loss.name == "softmax" and not loss.label_smoothing


@cache
def compiled_row_loss(loss: Loss, batch: int) -> RowLoss:
    """The mean over `batch` rows, a row at a time; half a second to compile."""
    share, q_weight, undecided = 1.0 / batch, loss.q_weight, loss.undecided

    def row_loss(
        cells: int,
        symbols: int,
        first_symbol: int,
        logits_at: Any,
        q_at: Any,
        labels_at: Any,
        d_logits_at: Any,
        d_q_at: Any,
        values_at: Any,
    ) -> None:
        logits = carray(logits_at, (cells, symbols))
        d_logits = carray(d_logits_at, (cells, symbols))
        labels = carray(labels_at, (cells,))
        values = carray(values_at, (4,))
        answer, exact, labelled = _answer_loss(logits, labels, first_symbol, share, d_logits)
        target = undecided if labelled else 0.0
        if exact:
            target = 1.0
        q = carray(q_at, (1,))[0]
        carray(d_q_at, (1,))[0] = q_weight * share * (1.0 / (1.0 + math.exp(-q)) - target)
        values[0] = answer
        values[1] = max(q, 0.0) - q * target + math.log1p(math.exp(-abs(q)))
        values[2] = exact
        values[3] = not labelled

    owner = numba.cfunc(_SIGNATURE)(row_loss)
    address = owner.address
    assert address is not None  # of what is compiled
    return RowLoss(address, owner)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    dispatcher: Callable[..., Any] = numba.njit(nogil=True, error_model="numpy")(function)
    return dispatcher


@_compiled
def _answer_loss(
    logits: FloatArray,
    labels: npt.NDArray[np.int32],
    first_symbol: int,
    share: float,
    d_logits: FloatArray,
) -> tuple[float, bool, bool]:
    """Mean over the labelled cells; whether all of them are right, and whether there are any.

    logits, d_logits: (S, N); labels: (S,) tokens. Writes `share` times the gradient.
    """
    cells, symbols = logits.shape
    labelled = 0
    for cell in range(cells):
        labelled += labels[cell] != IGNORED_LABEL
    weight = 1.0 / max(labelled, 1)
    loss, exact = 0.0, labelled > 0
    for cell in range(cells):
        if labels[cell] == IGNORED_LABEL:
            d_logits[cell] = 0.0
            continue
        label = labels[cell] - first_symbol
        best = 0
        for symbol in range(1, symbols):
            if logits[cell, symbol] > logits[cell, best]:
                best = symbol
        exact = exact and best == label
        total = 0.0
        for symbol in range(symbols):
            d_logits[cell, symbol] = math.exp(logits[cell, symbol] - logits[cell, best])
            total += d_logits[cell, symbol]
        loss += weight * (math.log(total) + logits[cell, best] - logits[cell, label])
        for symbol in range(symbols):
            d_logits[cell, symbol] *= weight * share / total
        d_logits[cell, label] -= weight * share
    return loss, exact, labelled > 0
