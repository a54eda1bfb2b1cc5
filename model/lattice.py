"""The lattice cell: one state vector per (cell, symbol) pair of an all-different puzzle.

A pair hears four groups: the other symbols of its cell, and its symbol in its row, column and box.
Weights are shared by all pairs, and by rows and columns, so the network commutes with every
symmetry of the puzzle, transposition included, and fits every size: nothing in it knows how long a
row is.
"""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F  # noqa: N812 (the field's name for it)
from torch import Tensor, nn

from model.body import Body, ShapeError
from model.config import ModelConfig
from model.layers import Linear, rms_norm, truncated_normal
from model.unit_attention import UnitAttention
from puzzles.kind import PuzzleSpec

ROLES = 3  # of a pair: its cell is empty, given as this symbol, given as another
NO_SYMBOL_LOGIT = -30.0  # pad and empty are never an answer; finite, so that losses stay finite


@dataclass(frozen=True)
class Geometry:
    """A grid seen as boxes: axes (bands, box height, stacks, box width, symbols)."""

    axes: tuple[int, int, int, int, int]
    first_symbol: int

    # Which axes (counted with B in front, D behind) a group's mean runs over.
    CELL = (5,)
    ROW = (3, 4)
    COLUMN = (1, 2)
    BOX = (2, 4)

    @classmethod
    def of(cls, spec: PuzzleSpec) -> "Geometry":
        """Raises: ShapeError for a puzzle without rows, columns and boxes of one size."""
        height, width = spec.box_height, spec.box_width
        if height is None or width is None or spec.symbols != height * width:
            raise ShapeError(f"{spec.name}: the lattice cell needs rows, columns and boxes")
        return cls(
            axes=(spec.height // height, height, spec.width // width, width, spec.symbols),
            first_symbol=spec.vocab_size - spec.symbols,
        )


@final
class LatticeBlock(nn.Module):
    """Own projection plus projected group means, SwiGLU, residual, post-norm.

    Rows and columns share one projection, or a transposed puzzle would be another puzzle. Each
    channel takes the larger of the two: their sum could not tell "settled in its row" from "half
    settled in both" (docs/adr/0004).
    """

    def __init__(self, size: int, expansion: float, unit_attention: int = 0) -> None:
        """unit_attention: numbers of a pair's query, key and value; 0: nothing but means."""
        super().__init__()
        width = round(size * expansion)
        self.attention = UnitAttention(size, unit_attention) if unit_attention else None
        self.own = Linear(size, 2 * width)
        self.cell = Linear(size, 2 * width)
        self.line = Linear(size, 2 * width)
        self.box = Linear(size, 2 * width)
        self.out = Linear(width, size)

    def forward(self, h: Tensor) -> Tensor:
        """h: (B, bands, box height, stacks, box width, symbols, D), and the same out."""
        if self.attention is not None:
            h = rms_norm(h + self.attention(h))
        # A mean of N unit vectors shrinks by √N: scaled back, all five inputs weigh alike.
        scale = h.shape[5] ** 0.5
        mixed = self.own(h)
        # Projecting the mean before broadcasting it: groups are N times fewer than pairs.
        mixed = mixed + self.cell(h.mean(Geometry.CELL, keepdim=True) * scale)
        mixed = mixed + self.box(h.mean(Geometry.BOX, keepdim=True) * scale)
        row = self.line(h.mean(Geometry.ROW, keepdim=True) * scale)
        column = self.line(h.mean(Geometry.COLUMN, keepdim=True) * scale)
        mixed = mixed + torch.maximum(row, column)
        gate, up = mixed.chunk(2, dim=-1)
        return rms_norm(h + self.out(F.silu(gate) * up))


@final
class LatticeBody(Body):
    """State (B, L = S · symbols, D) for every size among `specs`, with the same weights."""

    def __init__(self, config: ModelConfig, specs: tuple[PuzzleSpec, ...]) -> None:
        size = config.hidden_size
        super().__init__(config, size)
        self.geometries = {spec.seq_len: Geometry.of(spec) for spec in specs}
        self.roles = nn.Parameter(truncated_normal(ROLES, size, std=1.0))
        self.blocks = nn.ModuleList(
            LatticeBlock(size, config.expansion, config.unit_attention)
            for _ in range(config.blocks)
        )
        self.answer = Linear(size, 1)

    def _geometry(self, seq_len: int) -> Geometry:
        if seq_len not in self.geometries:
            raise ShapeError(
                f"questions of {seq_len} tokens, this model knows {sorted(self.geometries)}"
            )
        return self.geometries[seq_len]

    def state_len(self, seq_len: int) -> int:
        return seq_len * self._geometry(seq_len).axes[-1]

    def embed(self, tokens: Tensor, task_rows: Tensor | None) -> Tensor:  # noqa: ARG002 (no tasks)
        geometry = self._geometry(tokens.shape[1])
        symbols = geometry.axes[-1]
        own = torch.arange(symbols, device=tokens.device) + geometry.first_symbol
        cells = tokens.unsqueeze(-1)  # (B, S, 1)
        role = (cells >= geometry.first_symbol).long() * (2 - (cells == own).long())
        return self.roles[role].flatten(1, 2)

    def refine(self, h: Tensor, seq_len: int) -> Tensor:
        lattice: Tensor = h.unflatten(1, self._geometry(seq_len).axes)
        for block in self.blocks:
            lattice = block(lattice)
        return lattice.flatten(1, 5)

    def read_answer(self, y: Tensor, seq_len: int) -> Tensor:
        geometry = self._geometry(seq_len)
        logits = self.answer(y).view(y.shape[0], seq_len, geometry.axes[-1])
        return F.pad(logits, (geometry.first_symbol, 0), value=NO_SYMBOL_LOGIT)

    def read_halt(self, y: Tensor) -> Tensor:
        return y.mean(dim=1)
