"""Questions as the solving policy asks them later on: with guessed symbols as further givens.

A wrong guess leaves a question without a solution. A network that sees such questions learns to
tell by its halt logit that they lead nowhere, which is what a search ranks its guesses by.
"""

from typing import final

import torch
from torch import Tensor

from puzzles.kind import PuzzleKind
from training.losses import IGNORED_LABEL
from training.pool import Drawn
from training.recipe import Guesses


@final
class Guessing:
    """Puts guesses into a share of a batch's rows; their puzzles have one solution each."""

    def __init__(self, kind: PuzzleKind, guesses: Guesses, device: torch.device) -> None:
        self._guesses = guesses
        self._symbols = kind.spec.symbols
        self._first_symbol = kind.spec.vocab_size - kind.spec.symbols
        # (S, S): 1 where two cells share a unit, a cell with itself included.
        units = [set(units) for units in kind.units_of_cells]
        sees = [[float(bool(one & other)) for other in units] for one in units]
        self._sees = torch.tensor(sees, device=device)

    def __call__(self, drawn: Drawn, generator: torch.Generator) -> Drawn:
        """drawn: (B, S) tokens and labels -> the same with guesses; no labels if one is wrong."""
        chosen, place = self._choose(drawn.tokens, generator)
        symbols, possible = self._wrong_symbols(drawn, generator)
        rows = (drawn.tokens.shape[0], 1)
        goes_wrong = _uniform(rows, generator) < self._guesses.wrong
        # One of them at least, each other one as likely as not.
        wrong = (place == 0) | (_uniform(tuple(place.shape), generator) < 0.5)
        wrong = chosen & goes_wrong & wrong & possible
        guessed = torch.where(wrong, symbols, drawn.labels)
        return Drawn(
            torch.where(chosen, guessed, drawn.tokens),
            torch.where(wrong.any(1, keepdim=True), IGNORED_LABEL, drawn.labels),
        )

    def _choose(self, tokens: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, S) bool, the cells that are guessed; (B, S) int64, in which order."""
        rows, low, high = (tokens.shape[0], 1), *self._guesses.count
        counts = torch.randint(low, high + 1, rows, generator=generator, device=tokens.device)
        counts = counts * (_uniform(rows, generator) < self._guesses.share)
        empty = tokens < self._first_symbol
        place = (_uniform(tuple(tokens.shape), generator) * empty).argsort(1, descending=True)
        place = place.argsort(1)
        return empty & (place < counts), place

    def _wrong_symbols(self, drawn: Drawn, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, S) int64 a wrong token that clashes with no given; (B, S) bool, if there is one."""
        own = torch.arange(self._symbols, device=drawn.tokens.device) + self._first_symbol
        given = (drawn.tokens.unsqueeze(-1) == own).float()
        clashes = torch.einsum("st,btn->bsn", self._sees, given) > 0
        allowed = ~clashes & (drawn.labels.unsqueeze(-1) != own)
        drawn_symbol = (_uniform(tuple(allowed.shape), generator) * allowed).argmax(-1)
        return drawn_symbol + self._first_symbol, allowed.any(-1)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)
