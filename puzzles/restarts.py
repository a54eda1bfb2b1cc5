"""What tells a later attempt from the first: start noise, another view, or guesses.

Shared by the server, which restarts puzzles, and by evaluation, which measures those restarts. All
randomness comes from a fixed seed and the attempt's number: the same question gets the same
attempts again.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from itertools import chain, islice
from typing import Literal, NamedTuple, final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from puzzles.kind import Grid, PuzzleKind, View
from puzzles.search import Ended, Node, Search

SEED = 0


class Restart(BaseModel):
    """How a model's attempts differ.

    noise: Gaussian start noise of `noise_scale`. views: the question under another symmetry.
    search: the question with guesses as further givens where the network was of two minds
    (`puzzles.search`), and start noise; an attempt whose halt logit falls below `refuted_q` ends.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["noise", "views", "search"]
    noise_scale: float = Field(default=0.0, ge=0)
    refuted_q: float | None = None  # None: no halt logit ends an attempt


def start_noise(restart: Restart, attempt: int, state_len: int) -> npt.NDArray[np.float32]:
    """Start noise (L,) float32 of an attempt, which counts from 1; zeros for the first.

    The same array for everybody who asks: not to be written to.
    """
    if attempt == 1 or restart.by == "views":
        return _noise(0, state_len, 0.0)
    return _noise(attempt, state_len, restart.noise_scale)


@lru_cache(maxsize=1024)  # attempts come back for every puzzle
def _noise(attempt: int, state_len: int, scale: float) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng((SEED, attempt))
    noise = rng.standard_normal(state_len, np.float32) * np.float32(scale)
    noise.flags.writeable = False
    return noise


class Attempt(NamedTuple):
    """How an attempt sees the question; node: of a search."""

    view: View
    node: Node = Node()


class Attempts(ABC):
    """One puzzle's attempts. Several may have begun and not ended."""

    @property
    @abstractmethod
    def divisible(self) -> bool:
        """Whether another attempt is worth beginning before those that began have ended."""

    @abstractmethod
    def begin(self) -> Attempt:
        """The next attempt."""

    @abstractmethod
    def end(self, attempt: Attempt, ended: Ended) -> None:
        """Say how an attempt did that came to nothing, where the network's logits are known."""


def attempts_of(kind: PuzzleKind, question: Grid, restart: Restart) -> Attempts:
    """The attempts at a question."""
    if restart.by == "views":
        return _Views(kind, question)
    if restart.by == "search":
        return _Guesses(kind, question, restart)
    return OneView(View(question, undo=_as_it_is))


@final
class OneView(Attempts):
    """The same view again and again; only the start noise differs."""

    def __init__(self, view: View) -> None:
        self._attempt = Attempt(view)

    @property
    def divisible(self) -> bool:
        return True

    def begin(self) -> Attempt:
        return self._attempt

    def end(self, attempt: Attempt, ended: Ended) -> None:
        """Nothing follows from it."""


@final
class _Views(Attempts):
    def __init__(self, kind: PuzzleKind, question: Grid) -> None:
        first = View(question, undo=_as_it_is)
        others = islice(kind.views(question, np.random.default_rng(SEED)), 1, None)
        self._views = chain((first,), others)

    @property
    def divisible(self) -> bool:
        return True

    def begin(self) -> Attempt:
        return Attempt(next(self._views))

    def end(self, attempt: Attempt, ended: Ended) -> None:
        """Views come in a fixed order."""


@final
class _Guesses(Attempts):
    def __init__(self, kind: PuzzleKind, question: Grid, restart: Restart) -> None:
        self._search = Search(kind, question, restart.refuted_q)

    @property
    def divisible(self) -> bool:
        return self._search.waiting > 0

    def begin(self) -> Attempt:
        node = self._search.begin()
        return Attempt(View(self._search.question(node), undo=_as_it_is), node)

    def end(self, attempt: Attempt, ended: Ended) -> None:
        self._search.end(attempt.node, ended)


def _as_it_is(answer: Grid) -> Grid:
    return answer
