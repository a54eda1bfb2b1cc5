"""Deep supervision's rolling batch: a halted row is refilled in place, the others go on.

Source: TRM reference, models/recursive_reasoning/trm.py. A row halts at the cap, or when q says
solved; with probability `exploration` it must first make a random number of steps.
"""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from model.trm import Carry, StepOutput, TinyRecursiveModel
from training.augment import Augment
from training.pool import Pool
from training.recipe import Halting


@dataclass(frozen=True)
class Halted:
    """Sums over the rows that halted at this step, each a scalar tensor on the device."""

    rows: Tensor
    exact: Tensor
    steps: Tensor


@final
class RollingBatch:
    """B rows of one puzzle; all state are tensors on the device, no step asks the host."""

    def __init__(
        self,
        trm: TinyRecursiveModel,
        pool: Pool,
        *,
        batch_size: int,
        seq_len: int,
        halting: Halting,
        augment: Augment | None,
        dtype: torch.dtype,
        generator: torch.Generator,
    ) -> None:
        self.pool = pool
        self._trm = trm
        self._batch_size = batch_size
        self._halting = halting
        self._augment = augment
        self._dtype = dtype
        self._generator = generator
        device = generator.device
        self._state_len = trm.state_len(seq_len)
        self.tokens = torch.zeros(batch_size, seq_len, dtype=torch.int64, device=device)
        self.labels = torch.zeros_like(self.tokens)
        self.carry = trm.start(torch.zeros(batch_size, self._state_len, device=device), dtype=dtype)
        self.steps = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self.halted = torch.ones(batch_size, dtype=torch.bool, device=device)

    def refill(self) -> None:
        """Put a fresh puzzle and a fresh carry into every halted row."""
        drawn = self.pool.draw(self._batch_size, self._generator)
        if self._augment is not None:
            drawn = self._augment(drawn, self._generator)
        start = self._trm.start(self._start_noise(), self._dtype)
        new = self.halted.unsqueeze(-1)
        self.tokens = torch.where(new, drawn.tokens, self.tokens)
        self.labels = torch.where(new, drawn.labels, self.labels)
        new = new.unsqueeze(-1)
        self.carry = Carry(
            torch.where(new, start.y, self.carry.y), torch.where(new, start.z, self.carry.z)
        )
        self.steps = torch.where(self.halted, 0, self.steps)

    def _start_noise(self) -> Tensor:
        """(B, L): zeros for most rows, Gaussian for a share of them."""
        shape = (self._batch_size, self._state_len)
        device = self._generator.device
        if not self._halting.noise_share:
            return torch.zeros(shape, device=device)
        noisy = torch.rand(self._batch_size, 1, generator=self._generator, device=device)
        noise = torch.randn(shape, generator=self._generator, device=device)
        return noise * self._halting.noise_scale * (noisy < self._halting.noise_share)

    def settle(self, output: StepOutput, exact: Tensor) -> Halted:
        """Take over the new carry and decide which rows halt; exact: (B,) bool."""
        self.carry = output.carry
        self.steps = self.steps + 1
        cap = self._halting.max_supervision_steps
        device = self._generator.device
        explore = torch.rand(self._batch_size, generator=self._generator, device=device)
        # As in the reference: at least 2, at most the cap.
        at_least = torch.randint(
            min(2, cap), cap + 1, (self._batch_size,), generator=self._generator, device=device
        )
        at_least = torch.where(explore < self._halting.exploration, at_least, 0)
        confident = (output.q_halt.detach() > 0) & (self.steps >= at_least)
        self.halted = confident | (self.steps >= cap)
        return Halted(
            self.halted.sum(), (self.halted & exact).sum(), (self.steps * self.halted).sum()
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, apart from pool and generator."""
        return {
            "tokens": self.tokens,
            "labels": self.labels,
            "y": self.carry.y,
            "z": self.carry.z,
            "steps": self.steps,
            "halted": self.halted,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        device = self._generator.device
        self.tokens, self.labels = state["tokens"].to(device), state["labels"].to(device)
        self.carry = Carry(state["y"].to(device), state["z"].to(device))
        self.steps, self.halted = state["steps"].to(device), state["halted"].to(device)
