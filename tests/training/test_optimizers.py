"""Updates against hand-written ones; the learning rate as a table."""

import math

import pytest
import torch

from model.trm import TinyRecursiveModel
from puzzles.registry import by_name
from tests.training.small_runs import recipe
from training.optimizers import AdamATan2, OptimizerGroup, learning_rate_share
from training.recipe import Optimizer, Schedule


def test_adam_atan2_follows_its_formula() -> None:
    weight = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = AdamATan2([weight], lr=0.1, betas=(0.8, 0.9), weight_decay=0.5)
    expected, mean, square = [1.0, -2.0], [0.0, 0.0], [0.0, 0.0]
    for step, gradient in enumerate(([3.0, 0.0], [-1.0, 1e-9]), 1):
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        for i, g in enumerate(gradient):
            mean[i] = 0.8 * mean[i] + 0.2 * g
            square[i] = 0.9 * square[i] + 0.1 * g * g
            update = math.atan2(mean[i] / (1 - 0.8**step), math.sqrt(square[i] / (1 - 0.9**step)))
            expected[i] = expected[i] * (1 - 0.1 * 0.5) - 0.1 * update
    assert weight.tolist() == pytest.approx(expected)


def test_adam_atan2_is_blind_to_the_scale_of_the_loss() -> None:
    moved = []
    for scale in (1.0, 1e-6):
        weight = torch.zeros(3, requires_grad=True)
        optimizer = AdamATan2([weight], lr=0.1)
        for gradient in ([1.0, -2.0, 0.5], [0.3, 1.0, 0.5]):
            weight.grad = scale * torch.tensor(gradient)
            optimizer.step()
        moved.append(weight.tolist())
    assert moved[0] == pytest.approx(moved[1], rel=1e-4)


@pytest.mark.parametrize(
    ("step", "schedule", "share"),
    [
        (0, Schedule(warmup=4), 0.25),
        (3, Schedule(warmup=4), 1.0),
        (99, Schedule(warmup=4), 1.0),
        (0, Schedule(warmup=0), 1.0),
        (1, Schedule(name="cosine", warmup=4), 0.5),
        (4, Schedule(name="cosine", warmup=4), 1.0),
        (52, Schedule(name="cosine", warmup=4), 0.5),
        (52, Schedule(name="cosine", warmup=4, minimum=0.2), 0.6),
        (100, Schedule(name="cosine", warmup=4, minimum=0.2), 0.2),
        (500, Schedule(name="cosine", warmup=4, minimum=0.2), 0.2),
        (1, Schedule(name="decay", warmup=4, decay=0.5), 0.5),
        (50, Schedule(name="decay", warmup=4, decay=0.5), 1.0),
        (75, Schedule(name="decay", warmup=4, decay=0.5), 0.5),
        (99, Schedule(name="decay", warmup=4, decay=0.5, minimum=0.5), 0.51),
    ],
)
def test_the_learning_rate_schedule(step: int, schedule: Schedule, share: float) -> None:
    assert learning_rate_share(step, schedule=schedule, total=100) == pytest.approx(share)


def _trm() -> TinyRecursiveModel:
    torch.manual_seed(0)
    plan = recipe()
    return TinyRecursiveModel(plan.model, (by_name("sudoku-4x4").spec,))


@pytest.mark.parametrize("name", ["adamw", "adam_atan2", "muon"])
def test_every_optimizer_moves_every_weight_and_forgets_the_gradients(name: str) -> None:
    trm = _trm()
    before = {key: weight.detach().clone() for key, weight in trm.named_parameters()}
    group = OptimizerGroup(trm, Optimizer.model_validate({"name": name}))
    for weight in trm.parameters():
        weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    group.step(share=1.0)
    moved = {key for key, weight in trm.named_parameters() if not torch.equal(weight, before[key])}
    assert moved == before.keys()
    assert all(weight.grad is None for weight in trm.parameters())


def test_the_share_scales_the_update() -> None:
    steps = []
    for share in (1.0, 0.25):
        trm = _trm()
        before = trm.body.roles.detach().clone()
        group = OptimizerGroup(trm, Optimizer(lr=1e-2, weight_decay=0.0))
        for weight in trm.parameters():
            weight.grad = torch.ones_like(weight)
        group.step(share)
        steps.append(trm.body.roles.detach() - before)
    torch.testing.assert_close(steps[1], 0.25 * steps[0])


def test_gradients_are_clipped_together() -> None:
    clipped = []
    for scale in (1.0, 1000.0):  # beyond the clip, the size of a gradient does not matter
        trm = _trm()
        group = OptimizerGroup(trm, Optimizer(lr=1e-2, clip=1e-3))
        for weight in trm.parameters():
            weight.grad = torch.full_like(weight, scale)
        group.step(1.0)
        clipped.append([weight.detach().clone() for weight in trm.parameters()])
    for one, other in zip(*clipped, strict=True):
        torch.testing.assert_close(one, other)
