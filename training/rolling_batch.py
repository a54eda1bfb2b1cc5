"""Deep supervision's rolling batch: a halted row is refilled in place, the others go on.

Source: TRM reference, models/recursive_reasoning/trm.py. A row halts at the cap, or when q says
solved; with probability `exploration` it must first make a random number of steps. A row whose
question has no solution halts when q says so.

Several chains of a question are rows that follow each other. They halt together, with the one that
won, and take over its y; each keeps its own z (arXiv 2601.19085).
"""

from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from model.trm import Carry, TinyRecursiveModel
from training.augment import Augment
from training.guesses import Guessing
from training.pool import Drawn, Questions
from training.recipe import Halting
from training.step import Stepped

# A lower q says that a question leads nowhere: under 5 % of the right nodes of a search end below
# it, and a quarter of the wrong ones (docs/experiments.md).
REFUTED_Q = -3.5


@dataclass(frozen=True)
class Halted:
    """Sums over the rows that halted at this step, each a scalar tensor on the device.

    rows, exact: with a solution, and of these right; refuted, noticed: without one, and of these
    such that q said so; steps: supervision steps of all.
    """

    rows: Tensor
    exact: Tensor
    refuted: Tensor
    noticed: Tensor
    steps: Tensor


@final
class RollingBatch:
    """B rows of one puzzle; all state are tensors on the device, no step asks the host."""

    def __init__(
        self,
        trm: TinyRecursiveModel,
        pool: Questions,
        *,
        batch_size: int,
        seq_len: int,
        halting: Halting,
        augment: Augment | None,
        guessing: Guessing | None,
        dtype: torch.dtype,
        generator: torch.Generator,
    ) -> None:
        self.pool = pool
        self._trm = trm
        self._batch_size = batch_size
        self._halting = halting
        self._augment = augment
        self._guessing = guessing
        self._dtype = dtype
        self._generator = generator
        device = generator.device
        self._state_len = trm.state_len(seq_len)
        self.tokens = torch.zeros(batch_size, seq_len, dtype=torch.int64, device=device)
        self.labels = torch.zeros_like(self.tokens)
        self.task: Tensor | None = None
        self.carry = trm.start(torch.zeros(batch_size, self._state_len, device=device), dtype=dtype)
        self.steps = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self.at_least = torch.zeros_like(self.steps)
        self.guessed = torch.zeros_like(self.steps)  # guesses at where the network was in doubt
        self._logits: Tensor | None = None
        self.halted = torch.ones(batch_size, dtype=torch.bool, device=device)
        self._stuck = torch.zeros_like(self.halted)

    def refill(self) -> None:
        """Put a fresh puzzle and a fresh carry into every halted row."""
        drawn = self._draw()
        start = self._trm.start(self._start_noise(), self._dtype)
        new = self.halted.unsqueeze(-1)
        self.tokens = torch.where(new, drawn.tokens, self.tokens)
        self.labels = torch.where(new, drawn.labels, self.labels)
        if drawn.task is not None:
            old = drawn.task if self.task is None else self.task
            self.task = torch.where(self.halted, drawn.task, old)
        new = new.unsqueeze(-1)
        self.carry = Carry(
            torch.where(new, start.y, self.carry.y), torch.where(new, start.z, self.carry.z)
        )
        self.steps = torch.where(self.halted, 0, self.steps)
        self.at_least = torch.where(self.halted, self._draw_at_least(), self.at_least)

    def _draw(self) -> Drawn:
        """What every row is asked if it is asked anew."""
        drawn = self.pool.draw(self._batch_size // self._halting.chains, self._generator)
        if self._augment is not None:
            drawn = self._augment(drawn, self._generator)
        drawn = drawn.repeated(self._halting.chains)
        if self._guessing is None:
            return drawn
        drawn = self._guessing(drawn, self._generator)
        if self._logits is None:
            return drawn
        further = self._guessing.again(
            Drawn(self.tokens, self.labels), self._logits, self._generator
        )
        stuck = self._stuck.unsqueeze(-1)
        self.guessed = torch.where(self._stuck, self.guessed + 1, self.guessed * ~self.halted)
        return Drawn(
            torch.where(stuck, further.tokens, drawn.tokens),
            torch.where(stuck, further.labels, drawn.labels),
        )

    def _find_stuck(self, came_to_nothing: Tensor) -> Tensor:
        """(B,) bool: halted rows that are asked again with one more guess."""
        if self._guessing is None or not self._guessing.share_again:
            return torch.zeros_like(came_to_nothing)
        chosen = torch.rand(
            self._batch_size, generator=self._generator, device=self._generator.device
        )
        allowed = self.guessed < self._guessing.most
        return came_to_nothing & allowed & (chosen < self._guessing.share_again)

    def _draw_at_least(self) -> Tensor:
        """(B,) int64: steps that a row makes however sure it is.

        Drawn once for a row, not before each step as in the reference: so it sees several steps
        of what it has solved already, and learns to leave that alone.
        """
        cap, device = self._halting.max_supervision_steps, self._generator.device
        chains = self._halting.chains
        questions = (self._batch_size // chains,)
        explore = torch.rand(questions, generator=self._generator, device=device)
        # As in the reference: at least 2, at most the cap.
        at_least = torch.randint(
            min(2, cap), cap + 1, questions, generator=self._generator, device=device
        )
        drawn = torch.where(explore < self._halting.exploration, at_least, 0)
        return drawn.repeat_interleave(chains)

    def _start_noise(self) -> Tensor:
        """(B, L): zeros for most rows, Gaussian for a share of them, and for all further chains."""
        shape = (self._batch_size, self._state_len)
        device, chains = self._generator.device, self._halting.chains
        if not self._halting.noise_share and chains == 1:
            return torch.zeros(shape, device=device)
        drawn = torch.rand(self._batch_size, 1, generator=self._generator, device=device)
        noise = torch.randn(shape, generator=self._generator, device=device)
        noisy = drawn < self._halting.noise_share
        if chains > 1:
            noisy |= (torch.arange(self._batch_size, device=device) % chains > 0).unsqueeze(-1)
        return noise * self._halting.noise_scale * noisy

    def settle(self, stepped: Stepped) -> Halted:
        """Take over the new carry and decide which rows halt."""
        stepped = _as_the_winners(stepped, self._halting.chains)
        self.carry = stepped.carry
        self.steps = self.steps + 1
        refuted, noticed = stepped.loss.refuted, stepped.q_halt < REFUTED_Q
        confident = torch.where(refuted, noticed, stepped.q_halt > 0)
        at_cap = self.steps >= self._halting.max_supervision_steps
        halted = (confident & (self.steps >= self.at_least)) | at_cap
        self.halted = halted
        self._stuck = self._find_stuck(at_cap & ~stepped.loss.exact & ~(refuted & noticed))
        self._logits = stepped.logits
        return Halted(
            rows=(halted & ~refuted).sum(),
            exact=(halted & stepped.loss.exact).sum(),
            refuted=(halted & refuted).sum(),
            noticed=(halted & refuted & noticed).sum(),
            steps=(self.steps * halted).sum(),
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, apart from pool and generator."""
        return {
            "tokens": self.tokens,
            "labels": self.labels,
            "task": self.task,
            "y": self.carry.y,
            "z": self.carry.z,
            "steps": self.steps,
            "at_least": self.at_least,
            "guessed": self.guessed,
            "stuck": self._stuck,
            "logits": self._logits,
            "halted": self.halted,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        device = self._generator.device
        self.tokens, self.labels = state["tokens"].to(device), state["labels"].to(device)
        self.carry = Carry(state["y"].to(device), state["z"].to(device))
        self.steps, self.at_least = state["steps"].to(device), state["at_least"].to(device)
        self.halted, self._stuck = state["halted"].to(device), state["stuck"].to(device)
        self.guessed = state["guessed"].to(device)
        task = state.get("task")  # absent in states from before there were tasks
        self.task = None if task is None else task.to(device)
        self._logits = None if state["logits"] is None else state["logits"].to(device)


def _as_the_winners(stepped: Stepped, chains: int) -> Stepped:
    """Every chain's step with the y, q and verdict of the best of its question; z is its own."""
    winners = stepped.loss.winners
    if winners is None:
        return stepped
    best = winners.repeat_interleave(chains)
    return replace(
        stepped,
        carry=Carry(stepped.carry.y[best], stepped.carry.z),
        logits=stepped.logits[best],
        q_halt=stepped.q_halt[best],
        loss=replace(stepped.loss, exact=stepped.loss.exact[best]),
    )
