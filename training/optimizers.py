"""Optimizers and the learning rate. AdamW and Muon are torch's; AdamATan2 is not in torch."""

import math
from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor, nn

from model.trm import TinyRecursiveModel
from training.recipe import Optimizer, Schedule, TaskTraining
from training.task_rows import TaskRows


@final
class AdamATan2(torch.optim.Optimizer):
    """Adam whose update is atan2(m̂, √v̂): bounded, no epsilon, blind to the loss's scale.

    Source: Everett et al., arXiv 2407.05872; decoupled weight decay as in AdamW.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient; `closure` is not supported."""
        if closure is not None:
            raise ValueError("AdamATan2 takes no closure")
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                    state["mean"] = torch.zeros_like(parameter)
                    state["square"] = torch.zeros_like(parameter)
                state["step"] += 1
                state["mean"].lerp_(parameter.grad, 1 - beta1)
                state["square"].lerp_(parameter.grad.square(), 1 - beta2)
                mean = state["mean"] / (1 - beta1 ** state["step"])
                root = (state["square"] / (1 - beta2 ** state["step"])).sqrt_()
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(torch.atan2(mean, root), alpha=-group["lr"])


def learning_rate_share(optimizer_step: int, *, schedule: Schedule, total: int) -> float:
    """Share of the base rate at an optimizer step (from 0)."""
    if optimizer_step < schedule.warmup:
        return (optimizer_step + 1) / schedule.warmup
    if schedule.name == "constant":
        return 1.0
    if schedule.name == "decay":
        left = (total - optimizer_step) / (schedule.decay * total)
        return schedule.minimum + (1 - schedule.minimum) * min(1.0, left)
    progress = (optimizer_step - schedule.warmup) / max(1, total - schedule.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return schedule.minimum + (1 - schedule.minimum) * cosine


@final
class OptimizerGroup:
    """The optimizers of a run as one: step, state and learning rate together."""

    def __init__(
        self, trm: TinyRecursiveModel, config: Optimizer, tasks: TaskTraining | None = None
    ) -> None:
        """tasks: how task embeddings are trained, if the model has any."""
        self._body, table = trm.body, trm.body.tasks
        self._task_rows = None if table is None else TaskRows(table, tasks or TaskTraining())
        self._clip = config.clip
        self._parameters = _network(trm)
        self._members = _build(trm, config)
        self._base = [[group["lr"] for group in m.param_groups] for m in self._members]

    def step(self, share: float) -> None:
        """Clip, update with `share` of each base learning rate, and forget the gradients."""
        if self._clip:
            nn.utils.clip_grad_norm_(self._parameters, self._clip)
        for member, rates in zip(self._members, self._base, strict=True):
            for group, rate in zip(member.param_groups, rates, strict=True):
                group["lr"] = rate * share
            member.step()
            member.zero_grad(set_to_none=True)

    def step_tasks(self, task: Tensor, gradient: Tensor, share: float) -> None:
        """Update the embeddings of a batch's tasks. task: (B,) int64; gradient: (B, E)."""
        assert self._task_rows is not None
        self._task_rows.step(self._body.table_row(task), gradient, share)

    def state_dict(self) -> list[dict[str, Any]]:
        """The states of all members, that of the task table last."""
        states = [member.state_dict() for member in self._members]
        return states if self._task_rows is None else [*states, self._task_rows.state_dict()]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Inverse of `state_dict`."""
        own = list(states)
        if self._task_rows is not None:
            self._task_rows.load_state_dict(own.pop())
        for member, state in zip(self._members, own, strict=True):
            member.load_state_dict(state)


def _network(trm: TinyRecursiveModel) -> list[nn.Parameter]:
    """Every parameter but the task table, whose rows `training.task_rows` moves."""
    return [parameter for parameter in trm.parameters() if parameter is not trm.body.tasks]


def _build(trm: TinyRecursiveModel, config: Optimizer) -> list[torch.optim.Optimizer]:
    parameters = _network(trm)
    decay, betas = config.weight_decay, config.betas
    if config.name == "adamw":
        return [
            torch.optim.AdamW(parameters, lr=config.lr, betas=betas, weight_decay=decay, fused=True)
        ]
    if config.name == "adam_atan2":
        return [AdamATan2(parameters, lr=config.lr, betas=betas, weight_decay=decay)]
    if config.name == "muon":
        matrices = [p for n, p in trm.named_parameters() if ".blocks." in n and p.ndim == 2]
        chosen = {id(p) for p in matrices}
        rest = [p for p in parameters if id(p) not in chosen]
        return [
            # Decay is decoupled: scaled so that lr · decay is the same for both.
            torch.optim.Muon(
                matrices, lr=config.muon_lr, weight_decay=decay * config.lr / config.muon_lr
            ),
            torch.optim.AdamW(rest, lr=config.lr, betas=betas, weight_decay=decay, fused=True),
        ]
    raise AssertionError(config.name)
