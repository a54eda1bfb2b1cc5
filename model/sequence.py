"""The paper's two networks: a sequence of S tokens behind P task-prefix positions.

Source: TRM paper (arXiv 2510.04871) and its reference code, models/recursive_reasoning/trm.py.
"""

import math
from typing import final

import torch
from torch import Tensor, nn

from model.body import Body, ShapeError
from model.config import ModelConfig
from model.layers import Attention, Linear, RotaryTable, SwiGLU, rms_norm, truncated_normal
from puzzles.kind import PuzzleSpec


@final
class MixerBlock(nn.Module):
    """SwiGLU over the L positions of each channel, then over the channels; post-norm."""

    def __init__(self, config: ModelConfig, length: int) -> None:
        super().__init__()
        self.over_positions = SwiGLU(length, config.expansion)
        self.over_channels = SwiGLU(config.hidden_size, config.expansion)

    def forward(self, h: Tensor) -> Tensor:
        across = h.transpose(1, 2)
        # This norm runs over the L positions of one channel, as in the reference.
        h = rms_norm(across + self.over_positions(across)).transpose(1, 2)
        return rms_norm(h + self.over_channels(h))


@final
class AttentionBlock(nn.Module):
    """Self-attention, then SwiGLU over the channels; post-norm."""

    def __init__(self, config: ModelConfig, rotary: RotaryTable | None) -> None:
        super().__init__()
        self.attention = Attention(config.hidden_size, config.heads, rotary)
        self.over_channels = SwiGLU(config.hidden_size, config.expansion)

    def forward(self, h: Tensor) -> Tensor:
        h = rms_norm(h + self.attention(h))
        return rms_norm(h + self.over_channels(h))


@final
class SequenceBody(Body):
    """Token embeddings behind a task prefix, L = P + S, refined by mixer or attention blocks."""

    def __init__(self, config: ModelConfig, spec: PuzzleSpec) -> None:
        super().__init__(config, config.hidden_size)
        size, self.seq_len = config.hidden_size, spec.seq_len
        self.size, self.prefix_len, self.halt_from = size, config.prefix_len, config.halt_from
        length = config.prefix_len + spec.seq_len
        self.tokens = nn.Parameter(
            truncated_normal(spec.vocab_size, size, std=1.0 / math.sqrt(size))
        )
        self.positions = (
            nn.Parameter(truncated_normal(length, size, std=1.0 / math.sqrt(size)))
            if config.position == "learned"
            else None
        )
        self.answer = Linear(size, spec.vocab_size)
        if config.cell == "mlp":
            self.blocks = nn.ModuleList(MixerBlock(config, length) for _ in range(config.blocks))
        else:
            rotary = (
                RotaryTable(length, size // config.heads) if config.position == "rope" else None
            )
            self.blocks = nn.ModuleList(
                AttentionBlock(config, rotary) for _ in range(config.blocks)
            )

    def state_len(self, seq_len: int) -> int:
        if seq_len != self.seq_len:
            raise ShapeError(
                f"questions of {seq_len} tokens, this model was made for {self.seq_len}"
            )
        return self.prefix_len + seq_len

    def embed(self, tokens: Tensor, task_rows: Tensor | None) -> Tensor:
        x = self.tokens[tokens]
        if self.prefix_len:
            x = torch.cat((self._prefix(tokens, task_rows), x), dim=1)
        if self.positions is not None:
            x = math.sqrt(0.5) * (x + self.positions)
        return math.sqrt(self.size) * x

    def _prefix(self, tokens: Tensor, task_rows: Tensor | None) -> Tensor:
        """(B, P, D): the task embedding stands in the first position, zeros fill the rest."""
        if task_rows is None:
            return self.tokens.new_zeros(tokens.shape[0], self.prefix_len, self.size)
        return nn.functional.pad(task_rows.unsqueeze(1), (0, 0, 0, self.prefix_len - 1))

    def refine(self, h: Tensor, seq_len: int) -> Tensor:  # noqa: ARG002 (one length only)
        for block in self.blocks:
            h = block(h)
        return h

    def read_answer(self, y: Tensor, seq_len: int) -> Tensor:  # noqa: ARG002 (one length only)
        logits: Tensor = self.answer(y[:, self.prefix_len :])
        return logits

    def read_halt(self, y: Tensor) -> Tensor:
        return y[:, 0] if self.halt_from == "first" else y.mean(dim=1)
