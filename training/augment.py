"""Sudoku's symmetries on whole batches, on the training device.

The cells that are not equivariant (mlp, attention) learn nothing without them.
"""

from typing import Protocol, final

import torch
from torch import Tensor

from puzzles.kind import PuzzleSpec
from training.pool import Drawn
from training.recipe import RecipeError


class Augment(Protocol):
    """An equivalent batch, each row changed by its own symmetry."""

    def __call__(self, drawn: Drawn, generator: torch.Generator) -> Drawn:
        """drawn: (B, S) tokens and labels -> the same shapes."""
        ...


@final
class SudokuAugment:
    """Symbols permuted, bands, rows in bands, stacks, columns in stacks, transpose.

    Raises: RecipeError for a puzzle without boxes.
    """

    def __init__(self, spec: PuzzleSpec) -> None:
        if spec.box_height is None or spec.box_width is None:
            raise RecipeError(f"augment: {spec.name} has no boxes, these are not its symmetries")
        self._size = spec.symbols
        self._box = (spec.box_height, spec.box_width)
        self._first_symbol = spec.vocab_size - spec.symbols

    def __call__(self, drawn: Drawn, generator: torch.Generator) -> Drawn:
        batch, device = drawn.tokens.shape[0], generator.device
        rows = self._lines(batch, self._box[0], generator)
        columns = self._lines(batch, self._box[1], generator)
        cells = rows.unsqueeze(2) * self._size + columns.unsqueeze(1)  # (B, N, N)
        if self._box[0] == self._box[1]:
            turn = torch.rand(batch, 1, 1, generator=generator, device=device) < 0.5
            cells = torch.where(turn, cells.transpose(1, 2), cells)
        symbols = self._shuffled((batch, self._size), generator) + self._first_symbol
        kept = torch.arange(self._first_symbol, device=device).expand(batch, -1)
        relabel = torch.cat((kept, symbols), dim=1)
        at = cells.flatten(1)
        return Drawn(
            relabel.gather(1, drawn.tokens.gather(1, at)),
            relabel.gather(1, drawn.labels.gather(1, at)),
        )

    def _lines(self, batch: int, block: int, generator: torch.Generator) -> Tensor:
        """(B, N) row (or column) numbers: blocks move as one, lines within their block."""
        blocks = self._size // block
        outer = self._shuffled((batch, blocks), generator).unsqueeze(-1)
        inner = self._shuffled((batch, blocks, block), generator)
        return (outer * block + inner).flatten(1)

    @staticmethod
    def _shuffled(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Permutations of the last axis, int64."""
        return torch.rand(shape, generator=generator, device=generator.device).argsort(-1)
