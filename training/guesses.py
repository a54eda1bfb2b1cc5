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
        self._sees = torch.from_numpy(kind.neighbours).to(device)

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

    def again(self, asked: Drawn, logits: Tensor, generator: torch.Generator) -> Drawn:
        """One more guess in every row, in the cell whose second best symbol is the likeliest.

        logits: (B, S, N) of the last answer. A share of the guesses of a row whose others are all
        right is right, the others are drawn as likely as the network has them.
        """
        given = self._given(asked.tokens)
        taken = (torch.einsum("st,btn->bsn", self._sees, given) > 0) | given.bool()
        likely = logits.masked_fill(taken, -torch.inf).softmax(-1).nan_to_num(0.0)
        likely = likely * (asked.tokens < self._first_symbol).unsqueeze(-1)
        cell = likely.topk(2).values[..., 1].argmax(1, keepdim=True)  # (B, 1)
        in_cell = likely.gather(1, cell.unsqueeze(-1).expand(-1, -1, self._symbols)).squeeze(1)
        # Where no symbol is left, any: the question has no solution, and stays without.
        in_cell = in_cell + torch.finfo(in_cell.dtype).tiny
        drawn = torch.multinomial(in_cell, 1, generator=generator) + self._first_symbol
        label = asked.labels.gather(1, cell)
        right = _uniform(tuple(cell.shape), generator) < self._guesses.right
        symbol = torch.where(right & (label != IGNORED_LABEL), label, drawn)
        wrong = symbol != label
        return Drawn(
            asked.tokens.scatter(1, cell, symbol),
            torch.where(wrong, IGNORED_LABEL, asked.labels),
        )

    @property
    def share_again(self) -> float:
        """Of the rows that come to nothing, so many are asked again."""
        return self._guesses.again

    @property
    def most(self) -> int:
        """Guesses of a row."""
        return self._guesses.count[1]

    def _given(self, tokens: Tensor) -> Tensor:
        """(B, S, N) float32, 1 where a cell is given as this symbol."""
        own = torch.arange(self._symbols, device=tokens.device) + self._first_symbol
        return (tokens.unsqueeze(-1) == own).float()

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
        clashes = torch.einsum("st,btn->bsn", self._sees, self._given(drawn.tokens)) > 0
        allowed = ~clashes & (drawn.labels.unsqueeze(-1) != own)
        drawn_symbol = (_uniform(tuple(allowed.shape), generator) * allowed).argmax(-1)
        return drawn_symbol + self._first_symbol, allowed.any(-1)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)
