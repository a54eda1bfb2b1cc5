"""A search over guesses: where the network is of two minds, ask both questions.

A node is the question with some guessed symbols as further givens, and one attempt of the network.
What the attempt ends with says where to go on: the cell whose second best symbol is the likeliest
is guessed next, each of its symbols in a node of its own, and the nodes wait with the likelihood
of all their guesses. A halt logit lower than `refuted_q` says that a question leads nowhere.

The network still does all deduction, and the rules judge every answer against the question as it
was asked: a wrong guess, or a wrong refutation, can cost attempts but never truth.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt

from puzzles.kind import Grid, PuzzleKind

SURE = 1e-6  # what a cell without doubt counts, beside one that has no candidate
LEAST_LIKELY = 0.03  # a symbol below that is no candidate of its cell

Floats = npt.NDArray[np.float32]


class Guess(NamedTuple):
    """cell: flat, row by row; symbol: from 1."""

    cell: int
    symbol: int


class Node(NamedTuple):
    """A question to ask: the guesses in it, and the logarithm of their likelihood."""

    guesses: tuple[Guess, ...] = ()
    score: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: logits (S, N) of its last answer's symbols, halt logit."""

    logits: Floats
    q_halt: float


@final
class Search:
    """The nodes of one puzzle, the likeliest first; several may be asked at once."""

    def __init__(self, kind: PuzzleKind, question: Grid, refuted_q: float | None) -> None:
        self._kind = kind
        self._cells = question.flatten()
        self._shape = question.shape
        self._refuted_q = -math.inf if refuted_q is None else refuted_q
        self._waiting: list[tuple[float, int, Node]] = []
        self._made = 0  # nodes, so that of equals the first goes first
        self._asked = 0  # nodes with guesses whose attempt has not ended

    @property
    def waiting(self) -> int:
        """Nodes that nobody asks yet."""
        return len(self._waiting)

    def question(self, node: Node) -> Grid:
        """What it asks."""
        return self._with_guesses(node).reshape(self._shape)

    def begin(self) -> Node:
        """The next node to ask. Where none waits, it is the bare question."""
        if not self._waiting:
            return Node()
        self._asked += 1
        return heapq.heappop(self._waiting)[2]

    def end(self, node: Node, ended: Ended) -> None:
        """Branch at a node whose attempt came to nothing, unless it was refuted.

        The bare question, asked again while nodes with guesses are, has been branched already.
        """
        if node.guesses:
            self._asked -= 1
            branches = ended.q_halt >= self._refuted_q
        else:
            branches = not (self._asked or self._waiting)
        if branches:
            self._branch(node, ended)

    def _branch(self, node: Node, ended: Ended) -> None:
        likely = self._likelihoods(node, ended.logits)
        second, best = np.partition(likely, -2, axis=1)[:, -2:].T
        cell = int((second + SURE * best).argmax())
        for symbol in np.flatnonzero(likely[cell] > LEAST_LIKELY).tolist():
            score = node.score + math.log(likely[cell, symbol])
            further = Node((*node.guesses, Guess(cell, symbol + 1)), score)
            heapq.heappush(self._waiting, (-score, self._made, further))
            self._made += 1

    def _likelihoods(self, node: Node, logits: Floats) -> Floats:
        """(S, N) of the symbols that clash with nothing; zeros where a cell has its symbol."""
        cells = self._with_guesses(node)
        standing = np.eye(logits.shape[1] + 1, dtype=np.float32)[cells][:, 1:]
        allowed = (self._kind.neighbours @ standing == 0) & (cells == 0)[:, np.newaxis]
        likely: Floats = np.exp(logits - logits.max(axis=1, keepdims=True)) * allowed
        likely /= np.maximum(likely.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return likely

    def _with_guesses(self, node: Node) -> npt.NDArray[np.uint8]:
        return with_guesses(self._cells, node.guesses)


def with_guesses(cells: npt.NDArray[np.uint8], guesses: Sequence[Guess]) -> npt.NDArray[np.uint8]:
    """A copy of flat cells (S,) with guessed symbols in them."""
    guessed = cells.copy()
    for guess in guesses:
        guessed[guess.cell] = guess.symbol
    return guessed
