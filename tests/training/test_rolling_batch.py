"""Rows halt, are refilled in place, and leave the others alone."""

import pytest
import torch

from model.trm import Carry, TinyRecursiveModel
from puzzles.registry import by_name
from tests.training.small_runs import recipe
from training.losses import StepLoss
from training.pool import Pool
from training.recipe import Halting
from training.rolling_batch import REFUTED_Q, RollingBatch
from training.step import Stepped

ROWS = 64
CPU = torch.device("cpu")


def _batch(**halting: float) -> RollingBatch:
    plan, kind = recipe(), by_name("sudoku-4x4")
    pool = Pool(kind, plan.lanes[0], seed=0, device=CPU)
    pool.refresh(0)
    pool.close()
    torch.manual_seed(0)
    return RollingBatch(
        TinyRecursiveModel(plan.model, (kind.spec,)),
        pool,
        batch_size=ROWS,
        seq_len=16,
        halting=Halting.model_validate({"exploration": 0.0} | halting),
        augment=None,
        guessing=None,
        dtype=torch.float32,
        generator=torch.Generator().manual_seed(1),
    )


def _stepped(
    batch: RollingBatch, q_halt: torch.Tensor, refuted: torch.Tensor | None = None
) -> Stepped:
    """Every state element of the carry grows by one; every other row is exact."""
    carry = Carry(batch.carry.y + 1, batch.carry.z + 1)
    zero = torch.zeros(())
    none = torch.zeros(ROWS, dtype=torch.bool)
    loss = StepLoss(zero, zero, zero, EXACT, none if refuted is None else refuted)
    return Stepped(carry, torch.zeros(ROWS, 16, 4), q_halt, loss)


NOBODY = torch.full((ROWS,), -1.0)
EXACT = torch.arange(ROWS) % 2 == 0


def test_the_first_refill_fills_every_row() -> None:
    batch = _batch()
    batch.refill()
    assert (batch.labels >= 2).all()
    assert (batch.tokens.eq(batch.labels) | batch.tokens.eq(1)).all()
    assert len(batch.tokens.unique(dim=0)) > 20


def test_a_halted_row_is_refilled_in_place_and_the_others_go_on() -> None:
    batch = _batch()
    batch.refill()
    tokens, labels = batch.tokens, batch.labels
    start = batch.carry.y
    halted = torch.arange(ROWS) < 10
    batch.settle(_stepped(batch, torch.where(halted, 1.0, -1.0)))
    batch.refill()
    assert torch.equal(batch.tokens[10:], tokens[10:])
    assert torch.equal(batch.labels[10:], labels[10:])
    assert torch.equal(batch.carry.y[10:], start[10:] + 1)
    assert torch.equal(batch.carry.z[:10], batch.carry.z[:1].expand(10, -1, -1))
    assert torch.equal(batch.carry.y[:10], start[:10])
    assert not torch.equal(batch.tokens[:10], tokens[:10])
    assert batch.steps.tolist() == [0] * 10 + [1] * (ROWS - 10)


def test_halted_rows_are_summed() -> None:
    batch = _batch()
    batch.refill()
    batch.settle(_stepped(batch, NOBODY))
    batch.refill()
    halted = batch.settle(_stepped(batch, torch.where(torch.arange(ROWS) < 5, 1.0, -1.0)))
    assert (int(halted.rows), int(halted.exact), int(halted.steps)) == (5, 3, 10)


def test_every_row_halts_at_the_cap() -> None:
    batch = _batch(max_supervision_steps=3)
    for _ in range(2):
        batch.refill()
        assert int(batch.settle(_stepped(batch, NOBODY)).rows) == 0
    batch.refill()
    assert int(batch.settle(_stepped(batch, NOBODY)).rows) == ROWS


def test_exploring_rows_go_on_to_a_step_drawn_for_them_but_not_beyond_the_cap() -> None:
    batch = _batch(max_supervision_steps=4, exploration=1.0)
    batch.refill()
    at_least = batch.at_least
    assert set(at_least.tolist()) == {2, 3, 4}
    for step in range(1, 5):
        batch.settle(_stepped(batch, -NOBODY))
        assert torch.equal(batch.halted, at_least <= step)


def test_a_question_without_a_solution_halts_when_q_says_so() -> None:
    batch = _batch()
    batch.refill()
    refuted, low = torch.arange(ROWS) < 10, torch.arange(ROWS) < 4
    halted = batch.settle(_stepped(batch, torch.where(low, REFUTED_Q - 1, -1.0), refuted))
    assert batch.halted.tolist() == low.tolist()
    assert (int(halted.refuted), int(halted.noticed), int(halted.rows)) == (4, 4, 0)


def test_a_question_with_a_solution_does_not_halt_for_a_low_q() -> None:
    batch = _batch()
    batch.refill()
    batch.settle(_stepped(batch, torch.full((ROWS,), REFUTED_Q - 1)))
    assert not batch.halted.any()


def test_without_exploration_a_confident_row_halts_at_once() -> None:
    batch = _batch()
    batch.refill()
    assert int(batch.settle(_stepped(batch, -NOBODY)).rows) == ROWS


@pytest.mark.parametrize(("share", "noisy"), [(0.0, 0), (1.0, ROWS)])
def test_a_share_of_rows_starts_from_noise(share: float, noisy: int) -> None:
    batch = _batch(noise_share=share, noise_scale=0.5)
    plain = batch.carry.y.clone()
    batch.refill()
    assert int((batch.carry.y != plain).any(-1).any(-1).sum()) == noisy
    if noisy:
        apart = (batch.carry.y - plain)[..., 0] / batch._trm.y_noise[0]
        assert apart.std().item() == pytest.approx(0.5, rel=0.1)


def test_the_state_goes_into_another_batch_and_on() -> None:
    one, other = _batch(), _batch()
    one.refill()
    one.settle(_stepped(one, torch.where(EXACT, 1.0, -1.0)))
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.halted, one.halted)
    other._generator.set_state(one._generator.get_state())
    one.refill()
    other.refill()
    assert torch.equal(other.tokens, one.tokens)
    assert torch.equal(other.carry.y, one.carry.y)
