"""What tests of compiled gradients share: the loss, compiled code, and what equals PyTorch's."""

import functools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from kernel.compiled import Compiled
from kernel.isa import Isa, UnsupportedError, host_isa
from kernel.layout import Network
from kernel.train_code import TrainCode
from kernel.training import TrainedStep
from model.trm import StepOutput
from training.losses import StepLoss
from training.recipe import Loss

ISAS = (Isa(4, 32), Isa(8, 16), Isa(16, 32))
LOSS = Loss(name="softmax", q_weight=0.5, undecided=0.1)
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Gradients = Mapping[str, Floats]


def bfloat16_isa(*, tiles: bool) -> Isa:
    """This machine's, by tiles or by vectors; skips the test where it has no such instructions."""
    try:
        isa = host_isa("bfloat16")
    except UnsupportedError as error:
        pytest.skip(str(error))
    if tiles and not isa.tiles:
        pytest.skip("this CPU has no AMX, or its system does not let it be used")
    return replace(isa, tiles=tiles)


@functools.cache
def code_of(network: Network, isa: Isa) -> Compiled:
    return Compiled(TrainCode(network, isa))


def check_step(found: TrainedStep, output: StepOutput, loss: StepLoss, *, tolerance: float) -> None:
    """States, answers and losses are PyTorch's."""
    logits = output.logits.detach().numpy()
    first = logits.shape[-1] - found.logits.shape[-1]
    logits = logits[..., first:]
    np.testing.assert_allclose(found.y, output.carry.y.numpy(), atol=tolerance)
    np.testing.assert_allclose(found.z, output.carry.z.numpy(), atol=tolerance)
    np.testing.assert_allclose(found.logits, logits, atol=tolerance)
    np.testing.assert_allclose(found.q_halt, output.q_halt.detach().numpy(), atol=tolerance)
    assert (found.answer == first + logits.argmax(-1)).all()
    answer, halt = found.losses[:, 0].mean(), found.losses[:, 1].mean()
    np.testing.assert_allclose(answer, loss.answer.item(), rtol=1e-5)
    np.testing.assert_allclose(halt, loss.halt.item(), rtol=1e-5)


def check_gradients(ours: Gradients, theirs: Gradients, *, tolerance: float = 2e-5) -> None:
    """None is zero, and all are PyTorch's, to a share of the largest of their kind."""
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        scale = np.abs(gradient).max()
        assert scale > 0, name
        np.testing.assert_allclose(
            ours[name] / scale, gradient / scale, atol=tolerance, err_msg=name
        )


def check_norms(ours: Gradients, theirs: Gradients) -> None:
    """As `check_gradients`, but for single numbers: where the larger of two is told by the last
    bit, its gradient goes to the one or to the other.
    """
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        apart, whole = np.linalg.norm(ours[name] - gradient), np.linalg.norm(gradient)
        assert apart < 1e-3 * whole, (name, apart / whole)


def check_directions(ours: Gradients, theirs: Gradients) -> None:
    """As far as bfloat16 can tell."""
    for name, gradient in theirs.items():
        norms = np.linalg.norm(gradient) * np.linalg.norm(ours[name])
        assert (gradient * ours[name]).sum() / norms > 0.995, name
