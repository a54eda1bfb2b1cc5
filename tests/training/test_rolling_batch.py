"""Rows halt, are refilled in place, and leave the others alone."""

import pytest
import torch

from model.trm import Carry, StepOutput, TinyRecursiveModel
from puzzles.registry import by_name
from tests.training.small_runs import recipe
from training.pool import Pool
from training.recipe import Halting
from training.rolling_batch import RollingBatch

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
        dtype=torch.float32,
        generator=torch.Generator().manual_seed(1),
    )


def _output(batch: RollingBatch, q_halt: torch.Tensor) -> StepOutput:
    """Every state element of the carry grows by one."""
    carry = Carry(batch.carry.y + 1, batch.carry.z + 1)
    return StepOutput(carry, torch.zeros(ROWS, 16, 6), q_halt)


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
    batch.settle(_output(batch, torch.where(halted, 1.0, -1.0)), EXACT)
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
    batch.settle(_output(batch, NOBODY), EXACT)
    batch.refill()
    halted = batch.settle(_output(batch, torch.where(torch.arange(ROWS) < 5, 1.0, -1.0)), EXACT)
    assert (int(halted.rows), int(halted.exact), int(halted.steps)) == (5, 3, 10)


def test_every_row_halts_at_the_cap() -> None:
    batch = _batch(max_supervision_steps=3)
    for _ in range(2):
        batch.refill()
        assert int(batch.settle(_output(batch, NOBODY), EXACT).rows) == 0
    batch.refill()
    assert int(batch.settle(_output(batch, NOBODY), EXACT).rows) == ROWS


def test_exploring_rows_must_go_on_to_a_drawn_step_but_not_beyond_the_cap() -> None:
    batch = _batch(max_supervision_steps=4, exploration=1.0)
    halts = []
    for _ in range(4):
        batch.refill()
        batch.steps.clamp_(min=len(halts))  # a row that left counts on, so that it halts again
        batch.halted.fill_(False)
        halts.append(int(batch.settle(_output(batch, -NOBODY), EXACT).rows))
    assert halts[0] == 0  # at least 2 steps
    assert 0 < halts[1] < ROWS
    assert halts[3] == ROWS


def test_without_exploration_a_confident_row_halts_at_once() -> None:
    batch = _batch()
    batch.refill()
    assert int(batch.settle(_output(batch, -NOBODY), EXACT).rows) == ROWS


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
    one.settle(_output(one, torch.where(EXACT, 1.0, -1.0)), EXACT)
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.halted, one.halted)
    other._generator.set_state(one._generator.get_state())
    one.refill()
    other.refill()
    assert torch.equal(other.tokens, one.tokens)
    assert torch.equal(other.carry.y, one.carry.y)
