"""Maps of colours: a task says which colour stands for which.

Recoloured, stamped, told by a legend: what such a task puts into a cell has another colour than
what lies there. All colours share the network's weights, and a pair hears the others of its cell
only through their mean. A map is a matrix of a task's embedding, from the colour that a cell holds
to the colours whose pairs are told of it. Cost: one product of ten by ten per cell, once a step.
"""

from typing import final

import torch
import torch.nn.functional as F  # noqa: N812 (the field's name for it)
from torch import Tensor, nn

from model.layers import truncated_normal
from puzzles.arc import COLOURS, FIRST_COLOUR_TOKEN

SHARPNESS = 4.0  # of an embedding's numbers as weights: a map is found in tens of updates


@final
class ColourMaps(nn.Module):
    """`count` maps; told: (count, D), what a pair is told that a map leads to."""

    def __init__(self, count: int, size: int) -> None:
        """size: D."""
        super().__init__()
        self._count = count
        self.told = nn.Parameter(truncated_normal(count, size, std=0.5))

    @property
    def numbers(self) -> int:
        """How many numbers of a task embedding are its maps: of each colour held, to each other."""
        return self._count * COLOURS * COLOURS

    def forward(self, tokens: Tensor, maps: Tensor) -> Tensor:
        """What the pairs are told: tokens (B, S), maps (B, numbers) -> (B, S, 1 + COLOURS, D).

        The first symbol is the end mark, which no map knows; a cell without a colour tells nothing.
        """
        colours = torch.arange(COLOURS, device=tokens.device) + FIRST_COLOUR_TOKEN
        held = (tokens.unsqueeze(-1) == colours).to(maps.dtype)  # (B, S, COLOURS)
        weights = SHARPNESS * maps.unflatten(1, (COLOURS, COLOURS, self._count))
        led_to = torch.einsum("bsh,bhck->bsck", held, weights)
        x: Tensor = F.pad(led_to, (0, 0, 1, 0)) @ self.told
        return x
