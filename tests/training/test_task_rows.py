"""Only what a batch touches moves, and as its rule says."""

import pytest
import torch

from training.recipe import TaskTraining
from training.task_rows import TaskRows

ROWS = torch.tensor([1, 3, 1])
GRADIENT = torch.tensor([[1.0, -2.0], [0.5, 0.0], [1.0, 3.0]])


def test_sign_sgd_moves_by_the_sign_of_the_sum() -> None:
    table = torch.ones(5, 2)
    config = TaskTraining(optimizer="sign_sgd", lr=0.1, weight_decay=0.5)
    TaskRows(table, config).step(ROWS, GRADIENT, share=1.0)
    kept = 1 - 0.1 * 0.5
    expected = torch.ones(5, 2)
    expected[1] = torch.tensor([kept - 0.1, kept - 0.1])  # 1 + 1 and −2 + 3
    expected[3] = torch.tensor([kept - 0.1, kept])
    torch.testing.assert_close(table, expected)


def test_adam_is_torchs_on_each_row_for_itself() -> None:
    table, reference = torch.zeros(5, 2), torch.zeros(2, requires_grad=True)
    rows = TaskRows(table, TaskTraining(lr=0.1, weight_decay=0.0))
    adam = torch.optim.Adam([reference], lr=0.1, betas=(0.9, 0.95))
    for step in range(4):
        rows.step(torch.tensor([2]), torch.tensor([[1.0 + step, -3.0]]), share=1.0)
        rows.step(torch.tensor([4]), torch.tensor([[9.0, 9.0]]), share=1.0)
        reference.grad = torch.tensor([1.0 + step, -3.0])
        adam.step()
    torch.testing.assert_close(table[2], reference.detach())
    assert not table[[0, 1, 3]].any()


@pytest.mark.parametrize("optimizer", ["adam", "sign_sgd"])
def test_its_state_goes_on(optimizer: str) -> None:
    config = TaskTraining.model_validate({"optimizer": optimizer})
    whole, first = torch.zeros(5, 2), torch.zeros(5, 2)
    rows, before = TaskRows(whole, config), TaskRows(first, config)
    for one in (rows, before):
        one.step(ROWS, GRADIENT, share=1.0)
    after = TaskRows(first, config)
    after.load_state_dict(before.state_dict())
    for one in (rows, after):
        one.step(ROWS, -2 * GRADIENT, share=0.5)
    torch.testing.assert_close(first, whole)
