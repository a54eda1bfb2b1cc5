"""Several chains of a question: the best is trained, the others follow it (winner-take-all)."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from model.trm import Carry, StepOutput
from tests.training.small_runs import LATTICE, MIXER, recipe, train, trainer
from training.losses import step_loss
from training.recipe import Loss, Recipe
from training.rolling_batch import RollingBatch
from training.step import Stepped, TorchStep

CHAINS = {"max_supervision_steps": 3, "chains": 2, "noise_scale": 0.5}
LOSS = "sudoku-4x4/loss_answer"
SOFTMAX = Loss(name="softmax")


def output_of(logits: torch.Tensor) -> StepOutput:
    rows = len(logits)
    carry = Carry(torch.zeros(rows, 1, 1), torch.zeros(rows, 1, 1))
    return StepOutput(carry, logits, torch.zeros(rows))


def filled(plan: Recipe, run: Path) -> RollingBatch:
    made = trainer(plan, run)
    made.close()
    batch = made.lanes[0].batch
    batch.refill()
    return batch


def test_only_the_best_chain_of_a_question_has_a_gradient() -> None:
    sure = torch.tensor([[[3.0, 0.0]], [[0.0, 3.0]], [[0.0, 1.0]], [[0.0, 2.0]]])
    logits = sure.clone().requires_grad_()
    labels = torch.tensor([[0], [0], [1], [1]])
    loss = step_loss(output_of(logits), labels, SOFTMAX, chains=2)
    loss.total.backward()
    assert loss.winners is not None
    assert loss.winners.tolist() == [0, 3]
    assert logits.grad is not None
    assert logits.grad.abs().sum((1, 2)).gt(0).tolist() == [True, False, False, True]
    alone = step_loss(output_of(sure[[0, 3]]), labels[[0, 3]], SOFTMAX)
    assert torch.equal(loss.total, alone.total)


def test_chains_of_a_question_are_asked_the_same_and_start_apart(tmp_path: Path) -> None:
    batch = filled(recipe(halting=CHAINS), tmp_path)
    assert torch.equal(batch.tokens[::2], batch.tokens[1::2])
    assert torch.equal(batch.labels[::2], batch.labels[1::2])
    starts = batch.carry.z
    assert torch.equal(starts[0], starts[2])  # the first starts as at inference
    assert not torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[1], starts[3])


def test_all_chains_take_the_winners_answer_state_and_keep_their_own_latent(tmp_path: Path) -> None:
    batch = filled(recipe(halting=CHAINS), tmp_path)
    rows = len(batch.tokens)
    y = torch.arange(rows, dtype=torch.float32).view(-1, 1, 1).expand_as(batch.carry.y)
    q_halt = torch.where(torch.arange(rows) % 2 == 0, 1.0, -1.0)
    logits = torch.zeros(rows, 16, 4)
    loss = step_loss(output_of(torch.zeros(rows, 16, 6)), batch.labels, SOFTMAX, chains=2)
    assert loss.winners is not None  # equal losses: the first of each question
    before = batch.carry.z
    batch.settle(Stepped(Carry(y, before + 1), logits, q_halt, loss))
    assert batch.carry.y[:, 0, 0].tolist() == [float(i - i % 2) for i in range(rows)]
    assert torch.equal(batch.carry.z, before + 1)
    assert batch.halted.all()  # by the winner's q, though the others' says no


@pytest.mark.parametrize("model", [LATTICE, MIXER], ids=["lattice", "mlp"])
def test_runs_with_chains_train(model: dict[str, object], tmp_path: Path) -> None:
    made = trainer(recipe(halting=CHAINS, model=model, optimizer_steps=40), tmp_path)
    assert isinstance(made.lanes[0].step, TorchStep)  # compiled steps know one chain
    logged = [progress.values for progress in train(made)]
    losses = [values[LOSS] for values in logged if LOSS in values]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"halting": CHAINS | {"chains": 3}}, "batch_size 8 is no multiple of 3 chains"),
        ({"halting": CHAINS, "guesses": {"share": 0.5}}, "not together with guesses"),
        ({"halting": CHAINS | {"noise_scale": 0}}, "would all be the same"),
    ],
)
def test_recipes_say_what_chains_do_not_go_with(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        recipe(**changes)
