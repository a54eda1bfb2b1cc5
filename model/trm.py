"""The Tiny Recursive Model: one small network refines a latent z and an answer y, again and again.

Source: TRM paper (arXiv 2510.04871), Figure 3. The paper's y is the reference code's z_H, its z
is z_L. This module knows neither losses nor batches that roll: one call is one supervision step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from model.body import Body, ShapeError
from model.config import ModelConfig
from model.lattice import LatticeBody
from model.layers import Linear, truncated_normal
from model.palette import PaletteBody
from model.sequence import SequenceBody
from puzzles.kind import PuzzleSpec

HALT_BIAS = -5.0  # a new model believes that nothing is solved
TASK_TABLE = "body.tasks"  # what a network's state calls its task embeddings


@dataclass(frozen=True)
class Carry:
    """What one supervision step hands to the next: answer and latent state, (B, L, D) each."""

    y: Tensor
    z: Tensor


@dataclass(frozen=True)
class StepOutput:
    """carry: detached; logits: (B, S, V) float32; q_halt: (B,) float32 logit of "solved"."""

    carry: Carry
    logits: Tensor
    q_halt: Tensor


def build_body(config: ModelConfig, specs: tuple[PuzzleSpec, ...]) -> Body:
    """The network of `config.cell`. Raises: ShapeError if the puzzles do not suit the cell."""
    if config.cell == "lattice":
        return LatticeBody(config, specs)
    if config.cell == "palette":
        return PaletteBody(config, specs)
    if len(specs) != 1:
        raise ShapeError(f"cell {config.cell!r} has the length of one puzzle, got {len(specs)}")
    return SequenceBody(config, specs[0])


@final
class TinyRecursiveModel(nn.Module):
    """One network, two states. The carry's dtype is the dtype it computes in."""

    y_start: Tensor
    z_start: Tensor
    y_noise: Tensor
    z_noise: Tensor

    def __init__(self, config: ModelConfig, specs: tuple[PuzzleSpec, ...]) -> None:
        super().__init__()
        self.config = config
        self.specs = specs
        self.body = build_body(config, specs)
        self.halt = Linear(config.hidden_size, 1)
        nn.init.zeros_(self.halt.weight)
        self.halt_bias = nn.Parameter(torch.tensor([HALT_BIAS]))
        # Fixed, never trained: where every position starts, and the direction its noise moves it.
        for name in ("y_start", "z_start", "y_noise", "z_noise"):
            self.register_buffer(name, truncated_normal(config.hidden_size, std=1.0))

    def for_puzzles(self, specs: tuple[PuzzleSpec, ...]) -> "TinyRecursiveModel":
        """The same weights for other puzzles, in memory of their own and for evaluation.

        Raises: ShapeError if the puzzles do not suit the cell.
        """
        other = TinyRecursiveModel(self.config, specs)
        other.load_state_dict(self.state_dict())
        return other.to(self.y_start.device).eval()

    def for_tasks(self, places: Sequence[int]) -> "TinyRecursiveModel":
        """The same network, knowing these of its tasks alone, in this order; for evaluation."""
        state = self.state_dict()
        by_task = state[TASK_TABLE].unflatten(0, (self.config.tasks, -1))
        config = self.config.model_copy(update={"tasks": len(places)})
        other = TinyRecursiveModel(config, self.specs)
        other.load_state_dict(state | {TASK_TABLE: by_task[list(places)].flatten(0, 1)})
        return other.to(self.y_start.device).eval()

    def start(self, noise: Tensor, dtype: torch.dtype = torch.float32) -> Carry:
        """The carry before the first step; noise: (B, L) float32, zeros for a plain start.

        Noise moves each position along a fixed direction, so a start is told by L numbers.
        """
        y = self.y_start + noise.unsqueeze(-1) * self.y_noise
        z = self.z_start + noise.unsqueeze(-1) * self.z_noise
        return Carry(y.to(dtype), z.to(dtype))

    def state_len(self, seq_len: int) -> int:
        """L of the carry for questions of S tokens. Raises: ShapeError."""
        return self.body.state_len(seq_len)

    def forward(self, tokens: Tensor, carry: Carry, task: Tensor | None = None) -> StepOutput:
        """One supervision step: refine (y, z) T times, only the last with gradient.

        tokens: (B, S) int; carry.y, carry.z: (B, L, D); task: (B,) int64 where tasks exist.
        Raises: ShapeError if the carry does not fit the tokens.
        """
        return self.with_task_rows(tokens, carry, self.body.look_up(task))

    def with_task_rows(self, tokens: Tensor, carry: Carry, task_rows: Tensor | None) -> StepOutput:
        """As `forward`, with the task embeddings themselves: (B, E), or None without tasks."""
        seq_len = tokens.shape[1]
        expected = (tokens.shape[0], self.state_len(seq_len), self.config.hidden_size)
        if carry.y.shape != expected or carry.z.shape != expected:
            got = f"y {tuple(carry.y.shape)}, z {tuple(carry.z.shape)}"
            raise ShapeError(f"carry is {got}, expected {expected}")
        x = self.body.embed(tokens, task_rows).to(carry.y.dtype)
        y, z = carry.y, carry.z
        with torch.no_grad():
            for _ in range(self.config.deep_recursions - 1):
                y, z = self._deep_recursion(x, y, z, seq_len)
        y, z = self._deep_recursion(x, y, z, seq_len)
        logits = self.body.read_answer(y, seq_len).float()
        q_halt = (self.halt(self.body.read_halt(y)) + self.halt_bias.to(y.dtype)).squeeze(-1)
        return StepOutput(Carry(y.detach(), z.detach()), logits, q_halt.float())

    def _deep_recursion(
        self, x: Tensor, y: Tensor, z: Tensor, seq_len: int
    ) -> tuple[Tensor, Tensor]:
        """n latent recursions on z, then one on the answer y."""
        for _ in range(self.config.latent_recursions):
            z = self.body.refine(z + (y + x), seq_len)
        y = self.body.refine(y + z, seq_len)
        return y, z
