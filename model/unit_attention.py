"""Attention inside rows, columns and boxes of a lattice: which cells of a unit a cell looks at.

A cell's query and key are those of all its symbols together, so that two cells that are open for
the same symbols find each other, which no mean can tell; what is seen stays apart by symbol. So it
commutes with every symmetry of the puzzle, and fits every size, as the lattice does.
"""

import math
from typing import final

import torch
from torch import Tensor, nn

from model.layers import Linear

# Of (B, bands, box height, stacks, box width, symbols, D): which two axes count a kind's units,
# and which two the cells of one.
ROWS, COLUMNS, BOXES = ((1, 2), (3, 4)), ((3, 4), (1, 2)), ((1, 3), (2, 4))
SHARPNESS = 2.0  # of a new network's weights, over products of unit variance


@final
class UnitAttention(nn.Module):
    """What each pair sees: its symbol in the cells of its units, weighed by a softmax per unit.

    Of what it sees in its row and in its column, number by number the larger counts: they are
    alike, or a transposed puzzle would be another puzzle.
    """

    def __init__(self, size: int, key: int) -> None:
        """key: numbers of a pair's query, key and value each."""
        super().__init__()
        self.qkv = Linear(size, 3 * key)
        self.out = Linear(2 * key, size)

    def forward(self, h: Tensor) -> Tensor:
        """h: (B, bands, box height, stacks, box width, symbols, D), and the same out."""
        qkv = self.qkv(h)
        line = torch.maximum(_seen(qkv, *ROWS), _seen(qkv, *COLUMNS))
        seen: Tensor = self.out(torch.cat((line, _seen(qkv, *BOXES)), dim=-1))
        return seen


def _seen(qkv: Tensor, units: tuple[int, int], cells: tuple[int, int]) -> Tensor:
    """(…, 3 K) -> (…, K), by the cells of one kind of units."""
    order = (0, *units, *cells, 5, 6)
    ordered = qkv.permute(order)
    # (B, units, cells, symbols, 3 K) -> three of (B, units, cells, symbols · K)
    query, key, value = (
        part.flatten(3) for part in ordered.flatten(3, 4).flatten(1, 2).chunk(3, dim=-1)
    )
    products = (query @ key.transpose(-2, -1)).float()
    weights = torch.softmax(products * (SHARPNESS / math.sqrt(query.shape[-1])), dim=-1)
    seen = (weights.to(value.dtype) @ value).view(*ordered.shape[:-1], -1)
    back = [order.index(axis) for axis in range(len(order))]
    return seen.permute(back)
