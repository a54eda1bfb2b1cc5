"""Two ways to make the same training step, and which of them a recipe gets."""

from typing import Any

import pytest
import torch

from kernel.isa import UnsupportedError
from model.trm import TinyRecursiveModel
from puzzles.registry import by_name
from tests.model.small import small_trm
from tests.training.small_runs import MIXER, recipe
from training.losses import IGNORED_LABEL
from training.step import KernelStep, TorchStep, TrainingStep, training_step

FOUR = by_name("sudoku-4x4").spec
TEN = by_name("arc-10x10").spec
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


PALETTE = {
    "cell": "palette",
    "hidden_size": 16,
    "blocks": 1,
    "latent_recursions": 2,
    "deep_recursions": 1,
    "expansion": 2.0,
    "tasks": 2,
    "task_variants": 2,
    "task_rows": "task",
}
TASKS = torch.tensor([0, 1, 2, 3, 0, 0, 3, 1])


def palette_step(runtime: str) -> tuple[TinyRecursiveModel, TrainingStep]:
    """Tasks that differ, and a halt head that says something."""
    plan = recipe(
        runtime=runtime,
        model=PALETTE,
        loss={"name": "softmax", "undecided": 0.1},
        lanes=[
            {"puzzle": "arc-10x10", "batch_size": ROWS, "sources": [{"path": "demonstrations"}]}
        ],
    )
    trm = small_trm(plan.model, TEN)
    body = trm.body
    assert body.variants is not None
    torch.nn.init.normal_(body.variants)
    return trm, training_step(trm, TEN, plan, plan.lanes[0], CPU)


def test_both_ways_leave_the_same_gradients_of_a_palette_and_its_tasks() -> None:
    generator = torch.Generator().manual_seed(1)
    tokens, labels = torch.randint(1, 12, (2, ROWS, 100), generator=generator)
    tokens[torch.rand(ROWS, 100, generator=generator) < 0.3] = 0
    labels[:, ::4] = IGNORED_LABEL
    noise = torch.randn(ROWS, 1100, generator=generator)
    found = []
    for runtime in ("torch", "kernel"):
        trm, step = palette_step(runtime)
        stepped = step(tokens, labels, trm.start(noise, step.dtype), TASKS)
        found.append((stepped, dict(trm.named_parameters())))
    (by_torch, expected), (by_kernel, parameters) = found
    assert parameters["body.tasks"].grad is None
    assert expected["body.tasks"].grad is None
    for name in parameters.keys() - {"body.tasks"}:
        ours, theirs = parameters[name].grad, expected[name].grad
        assert ours is not None
        assert theirs is not None
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-3, msg=name)
    assert by_kernel.task_gradient is not None
    assert by_kernel.task_gradient.shape == (ROWS, 12 * 16)
    torch.testing.assert_close(
        by_kernel.task_gradient, by_torch.task_gradient, atol=1e-6, rtol=1e-3
    )
    torch.testing.assert_close(by_kernel.carry.y, by_torch.carry.y, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(by_kernel.q_halt, by_torch.q_halt, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(by_kernel.loss.total, by_torch.loss.total.detach())
    assert by_kernel.logits.shape == by_torch.logits.shape


def test_a_palette_on_the_cpu_gets_the_kernel() -> None:
    assert palette_step("auto")[1].runtime.startswith("compiled ")


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
