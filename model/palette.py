"""The palette cell: one state vector per (cell, symbol) pair of an ARC canvas.

Weights are shared by all ten colours, so a task with its colours exchanged is the same task for the
network: what tells colours apart is the task's embedding, which has a part for each. A pair hears
the other symbols of its cell, its symbol in its row, its column and on the whole canvas, what lies
beside it, and what it would meet along four rays. Nothing in it knows how large the canvas is.
Lenses (`model.lenses`), if it has any, show it the question at places that the task chooses;
maps of colours (`model.colour_maps`) tell a pair of the colours that its own is put for.
"""

import math
from itertools import product
from typing import final

import torch
import torch.nn.functional as F  # noqa: N812 (the field's name for it)
from torch import Tensor, nn

from model.body import Body, ShapeError
from model.colour_maps import ColourMaps
from model.config import ModelConfig
from model.layers import Linear, rms_norm, truncated_normal
from model.lenses import Lenses
from puzzles.arc import COLOURS, DIHEDRAL, END_TOKEN, PAD_TOKEN
from puzzles.kind import PuzzleSpec

SYMBOLS = 1 + COLOURS  # the end mark, then the colours; a pad is no answer
ROLES = 4  # of a pair: its cell is a pad, holds this symbol, another colour, the end mark
SPECIAL = 2  # end mark and black are told from the other symbols without a task
RAYS = ((1, 1), (1, -1), (2, 1), (2, -1))  # axis of (B, C, C, …) and direction of each quarter
# A mean of N unit vectors shrinks by √N: scaled back, all inputs weigh alike. N is always that of a
# canvas of this side, so that what was learnt on one canvas means the same on another.
MEANS_SIDE = 10
NO_SYMBOL_LOGIT = -30.0  # of a pad; finite, so that losses stay finite


@final
class PaletteBlock(nn.Module):
    """A depthwise look at the eight cells around, then SwiGLU over everything a pair hears."""

    def __init__(self, size: int, expansion: float) -> None:
        super().__init__()
        width = round(size * expansion)
        self.around = nn.Parameter(truncated_normal(3, 3, size, std=1 / 3))
        self.own = Linear(size, 2 * width)
        self.cell = Linear(size, 2 * width)
        self.row = Linear(size, 2 * width)
        self.column = Linear(size, 2 * width)
        self.canvas = Linear(size, 2 * width)
        self.rays = Linear(size, 2 * width)
        self.out = Linear(width, size)

    def forward(self, h: Tensor) -> Tensor:
        """h: (B, C, C, symbols, D), and the same out."""
        h = rms_norm(h + self._look_around(h))
        mixed = self.own(h) + self.rays(look_along(h))
        mixed = mixed + self.cell(h.mean(3, keepdim=True) * math.sqrt(SYMBOLS))
        mixed = mixed + self.column(h.mean(1, keepdim=True) * math.sqrt(MEANS_SIDE))
        mixed = mixed + self.row(h.mean(2, keepdim=True) * math.sqrt(MEANS_SIDE))
        mixed = mixed + self.canvas(h.mean((1, 2), keepdim=True) * MEANS_SIDE)
        gate, up = mixed.chunk(2, dim=-1)
        return rms_norm(h + self.out(F.silu(gate) * up))

    def _look_around(self, h: Tensor) -> Tensor:
        """Nine shifted products: a convolution would want its channels first, and copies."""
        side = h.shape[1]
        weight = self.around.to(h.dtype)
        padded = F.pad(h, (0, 0, 0, 0, 1, 1, 1, 1))
        seen = torch.zeros_like(h)
        for row, column in product(range(3), repeat=2):
            part = padded[:, row : row + side, column : column + side]
            seen = seen + part * weight[row, column]
        return seen


def look_along(h: Tensor) -> Tensor:
    """(B, C, C, …, D) -> per quarter of D, the largest value that lies before it on one ray.

    Nothing there counts as 0. Doubling steps: a line of 30 cells takes five.
    """
    quarters = []
    for (axis, direction), quarter in zip(RAYS, h.chunk(len(RAYS), dim=-1), strict=True):
        seen = _shifted(quarter, axis, direction)
        reach = 1
        while reach < h.shape[axis]:
            seen = torch.maximum(seen, _shifted(seen, axis, direction * reach))
            reach *= 2
        quarters.append(seen)
    return torch.cat(quarters, dim=-1)


def _shifted(h: Tensor, axis: int, by: int) -> Tensor:
    """Moved along an axis, zeros coming in: one operation of a step graph, which has hundreds."""
    unmoved = (0, 0) * (h.ndim - 1 - axis)  # of the axes behind it: `pad` begins with the last
    return F.pad(h, (*unmoved, by, -by))


@final
class PaletteBody(Body):
    """State (B, L = S · symbols, D) for every canvas among `specs`, with the same weights.

    A task embedding has a part for all symbols, one for each, what its lenses choose, and its maps
    of colours.
    Raises: ShapeError for a puzzle that is no canvas of ten colours.
    """

    def __init__(self, config: ModelConfig, specs: tuple[PuzzleSpec, ...]) -> None:
        size = config.hidden_size
        lenses = Lenses(config.lenses, size) if config.lenses else None
        maps = ColourMaps(config.colour_maps, size) if config.colour_maps else None
        # Of a task embedding: how many numbers are of symbols, of lenses, of maps of colours.
        parts = (
            (1 + SYMBOLS) * size,
            lenses.numbers if lenses else 0,
            maps.numbers if maps else 0,
        )
        super().__init__(config, sum(parts))
        self.lenses, self.colour_maps, self._parts = lenses, maps, parts
        for spec in specs:
            if spec.kind != "arc":
                raise ShapeError(f"{spec.name}: the palette cell is for canvases of ten colours")
        if size % len(RAYS):
            raise ShapeError(f"hidden_size {size} is no multiple of {len(RAYS)} rays")
        self.size = size
        self._task_variants = config.task_variants
        self.sides = {spec.seq_len: spec.height for spec in specs}
        self.roles = nn.Parameter(truncated_normal(ROLES, size, std=1.0))
        self.special = nn.Parameter(truncated_normal(SPECIAL, size, std=0.5))
        self.blocks = nn.ModuleList(
            PaletteBlock(size, config.expansion) for _ in range(config.blocks)
        )
        self.answer = Linear(size, 1)

    def state_len(self, seq_len: int) -> int:
        if seq_len not in self.sides:
            raise ShapeError(f"questions of {seq_len} tokens, this model knows {[*self.sides]}")
        return seq_len * SYMBOLS

    def look_up(self, task: Tensor | None, rows: Tensor | None = None) -> Tensor | None:
        """As of every body; what lenses choose is turned with the task."""
        found = super().look_up(task, rows)
        if found is None or task is None or self.lenses is None:
            return found
        of_symbols, choice, maps = found.split(self._parts, dim=1)
        turn = task % self._task_variants % DIHEDRAL
        return torch.cat([of_symbols, self.lenses.turned(choice, turn), maps], dim=1)

    def embed(self, tokens: Tensor, task_rows: Tensor | None) -> Tensor:
        cells = tokens.unsqueeze(-1)
        own = torch.arange(SYMBOLS, device=tokens.device) + END_TOKEN
        # 0 pad, 1 this symbol, 2 another colour, 3 the end mark where this symbol is a colour.
        other = torch.where(cells == END_TOKEN, 3, 2)
        role = torch.where(cells == own, 1, torch.where(cells == PAD_TOKEN, 0, other))
        return self.roles[role].flatten(1, 2) + self.told(tokens, task_rows)

    def told(self, tokens: Tensor, task_rows: Tensor | None) -> Tensor:
        """What is added to the vectors of roles for x: (B, L, D), B = 1 if all rows are told one.

        Of symbols, by the network and the task; what lenses see; and where maps of colours lead.
        """
        x: Tensor = F.pad(self.special, (0, 0, 0, SYMBOLS - SPECIAL)).unsqueeze(0)
        choice = maps = None
        if task_rows is not None:
            of_symbols, choice, maps = task_rows.split(self._parts, dim=1)
            parts = of_symbols.unflatten(1, (1 + SYMBOLS, self.size))
            x = x + (parts[:, :1] + parts[:, 1:])
        x = x.unsqueeze(1)
        if self.lenses is not None:
            x = x + self.lenses(tokens, self.sides[tokens.shape[1]], choice)
        if self.colour_maps is not None and maps is not None:
            x = x + self.colour_maps(tokens, maps)
        return x.expand(-1, tokens.shape[1], -1, -1).flatten(1, 2)

    def refine(self, h: Tensor, seq_len: int) -> Tensor:
        side = self.sides[seq_len]
        canvas: Tensor = h.unflatten(1, (side, side, SYMBOLS))
        for block in self.blocks:
            canvas = block(canvas)
        return canvas.flatten(1, 3)

    def read_answer(self, y: Tensor, seq_len: int) -> Tensor:
        logits: Tensor = self.answer(y).view(y.shape[0], seq_len, SYMBOLS)
        return F.pad(logits, (END_TOKEN, 0), value=NO_SYMBOL_LOGIT)

    def read_halt(self, y: Tensor) -> Tensor:
        return y.mean(dim=1)
