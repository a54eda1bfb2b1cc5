"""The losses, against numbers worked out by hand."""

import math

import pytest
import torch

from model.trm import Carry, StepOutput
from training.losses import IGNORED_LABEL, answer_loss, step_loss
from training.recipe import Loss

STABLEMAX = Loss(name="stablemax")


def test_stablemax_is_linear_above_zero_and_reciprocal_below() -> None:
    logits = torch.tensor([[[2.0, -1.0, 0.0]]])  # s = 3, 1/2, 1
    for label, score in enumerate((3.0, 0.5, 1.0)):
        loss = answer_loss(logits, torch.tensor([[label]]), STABLEMAX)
        assert loss.item() == pytest.approx(-math.log(score / 4.5))


def test_stablemax_has_a_finite_gradient_far_from_zero() -> None:
    logits = torch.tensor([[[1e4, -1e4, 1.0]]], requires_grad=True)
    answer_loss(logits, torch.tensor([[1]]), STABLEMAX).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 0, 1] < 0


def test_softmax_smoothing_spreads_its_share_over_all_tokens() -> None:
    logits = torch.tensor([[[1.0, 2.0, -1.0]]])
    loss = answer_loss(logits, torch.tensor([[0]]), Loss(name="softmax", label_smoothing=0.3))
    total = math.log(math.exp(1) + math.exp(2) + math.exp(-1))
    logp = [1 - total, 2 - total, -1 - total]
    assert loss.item() == pytest.approx(-(0.7 * logp[0] + 0.1 * sum(logp)))


@pytest.mark.parametrize("name", ["stablemax", "softmax"])
def test_ignored_cells_neither_count_nor_weigh(name: str) -> None:
    logits = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0))
    loss = Loss.model_validate({"name": name})
    some = answer_loss(logits, torch.tensor([[1, IGNORED_LABEL, 2]]), loss)
    alone = answer_loss(logits[:, [0, 2]], torch.tensor([[1, 2]]), loss)
    assert some.item() == pytest.approx(alone.item())


def test_the_step_loss_adds_the_halting_loss_by_its_weight() -> None:
    logits = torch.tensor([[[0.0, 5.0], [5.0, 0.0]], [[0.0, 5.0], [0.0, 5.0]]])
    labels = torch.tensor([[1, 0], [1, 0]])
    carry = Carry(torch.zeros(2, 1, 1), torch.zeros(2, 1, 1))
    q_halt = torch.tensor([1.0, -2.0])
    found = step_loss(StepOutput(carry, logits, q_halt), labels, Loss(name="softmax", q_weight=0.5))
    assert found.exact.tolist() == [True, False]
    halt = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-2))) / 2
    assert found.halt.item() == pytest.approx(halt)
    right, wrong = math.log1p(math.exp(-5)), math.log1p(math.exp(5))
    assert found.answer.item() == pytest.approx((3 * right + wrong) / 4)
    assert found.total.item() == pytest.approx(found.answer.item() + 0.5 * halt)


def test_an_ignored_cell_may_be_wrong_in_an_exact_row() -> None:
    logits = torch.tensor([[[0.0, 5.0], [5.0, 0.0]]])
    carry = Carry(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
    labels = torch.tensor([[1, IGNORED_LABEL]])
    found = step_loss(StepOutput(carry, logits, torch.zeros(1)), labels, STABLEMAX)
    assert found.exact.tolist() == [True]


def test_a_question_without_a_solution_costs_only_what_its_q_says() -> None:
    carry = Carry(torch.zeros(0), torch.zeros(0))
    logits, q_halt = torch.randn(3, 2, 4), torch.zeros(3)
    labels = torch.tensor([[1, 2], [IGNORED_LABEL] * 2, [3, 3]])
    loss = Loss(name="softmax", q_weight=1.0, undecided=0.1)
    found = step_loss(StepOutput(carry, logits, q_halt), labels, loss)
    assert found.refuted.tolist() == [False, True, False]
    assert not found.exact[1]
    assert found.halt.item() == pytest.approx(math.log(2))
    confident = StepOutput(carry, logits, torch.tensor([0.0, -9.0, 0.0]))
    assert step_loss(confident, labels, loss).halt < found.halt
