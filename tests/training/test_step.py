"""Two ways to make the same training step, and which of them a recipe gets."""

from typing import Any

import pytest
import torch

from kernel.isa import UnsupportedError
from model.trm import TinyRecursiveModel
from puzzles.registry import by_name
from tests.training.small_runs import MIXER, recipe
from training.losses import IGNORED_LABEL
from training.step import KernelStep, TorchStep, TrainingStep, training_step

FOUR = by_name("sudoku-4x4").spec
ROWS = 8
CPU = torch.device("cpu")


def step_of(**changes: Any) -> tuple[TinyRecursiveModel, TrainingStep]:
    plan = recipe(**changes)
    torch.manual_seed(0)
    trm = TinyRecursiveModel(plan.model, (FOUR,))
    return trm, training_step(trm, FOUR, plan, plan.lanes[0], CPU)


def test_both_ways_leave_the_same_gradients_carry_and_loss() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(2, 6, (ROWS, 16), generator=generator)
    tokens = torch.where(torch.rand(ROWS, 16, generator=generator) < 0.5, 1, labels)
    labels[0] = IGNORED_LABEL
    found = []
    for runtime in ("torch", "kernel"):
        trm, step = step_of(runtime=runtime, loss={"name": "softmax", "undecided": 0.1})
        carry = trm.start(torch.zeros(ROWS, 64), step.dtype)
        found.append((step(tokens, labels, carry), dict(trm.named_parameters())))
    (by_torch, expected), (by_kernel, parameters) = found
    for name, parameter in parameters.items():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, expected[name].grad, atol=1e-6, rtol=1e-4)
    for name in ("logits", "q_halt"):
        ours, theirs = getattr(by_kernel, name), getattr(by_torch, name)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(by_kernel.carry.y, by_torch.carry.y, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(by_kernel.loss.total, by_torch.loss.total.detach())
    assert torch.equal(by_kernel.loss.refuted, by_torch.loss.refuted)
    assert torch.equal(by_kernel.loss.exact, by_torch.loss.exact)


def test_a_lattice_on_the_cpu_gets_the_kernel() -> None:
    assert isinstance(step_of()[1], KernelStep)
    assert isinstance(step_of(runtime="torch")[1], TorchStep)


CANNOT = {
    "softmax loss": {"loss": {"name": "stablemax"}},
    "without label smoothing": {"loss": {"name": "softmax", "label_smoothing": 0.1}},
    "not 'mlp'": {"model": MIXER},
}


@pytest.mark.parametrize("reason", CANNOT)
def test_where_the_kernel_cannot_be_had_pytorch_steps_in_unless_it_was_asked_for(
    reason: str,
) -> None:
    assert isinstance(step_of(**CANNOT[reason])[1], TorchStep)
    with pytest.raises(UnsupportedError, match=reason):
        step_of(**CANNOT[reason], runtime="kernel")
