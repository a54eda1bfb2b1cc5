"""What tells a later attempt from the first: start noise, another view, or guesses.

Shared by the server, which restarts puzzles, and by evaluation, which measures those restarts. All
randomness comes from a fixed seed and the attempt's number: the same question gets the same
attempts again.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from puzzles.kind import Grid, PuzzleKind, View
from puzzles.search import Ended, Search

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


class Attempts(ABC):
    """One puzzle's attempts, one after the other; begins with the first."""

    @property
    @abstractmethod
    def view(self) -> View:
        """How the present attempt sees the question."""

    @abstractmethod
    def go_on(self, ended: Ended | None) -> None:
        """Begin the next attempt; `ended` says how this one did, None if the network did not."""


def attempts_of(kind: PuzzleKind, question: Grid, restart: Restart) -> Attempts:
    """The attempts at a question."""
    if restart.by == "views":
        return _Views(kind, question)
    if restart.by == "search":
        return _Guesses(kind, question, restart)
    return OneView(View(question, undo=_as_it_is))


@final
class OneView(Attempts):
    """The same view again and again."""

    def __init__(self, view: View) -> None:
        self._view = view

    @property
    def view(self) -> View:
        return self._view

    def go_on(self, ended: Ended | None) -> None:
        """Only the start noise differs."""


@final
class _Views(Attempts):
    def __init__(self, kind: PuzzleKind, question: Grid) -> None:
        self._views = kind.views(question, np.random.default_rng(SEED))
        self._view = View(question, undo=_as_it_is)
        next(self._views)  # the first is the question as it is

    @property
    def view(self) -> View:
        return self._view

    def go_on(self, ended: Ended | None) -> None:  # noqa: ARG002 (views come in a fixed order)
        self._view = next(self._views)


@final
class _Guesses(Attempts):
    def __init__(self, kind: PuzzleKind, question: Grid, restart: Restart) -> None:
        self._search = Search(kind, question, restart.refuted_q)
        self._view = View(question, undo=_as_it_is)

    @property
    def view(self) -> View:
        return self._view

    def go_on(self, ended: Ended | None) -> None:
        if ended is not None:
            self._search.go_on(ended)
            self._view = View(self._search.question, undo=_as_it_is)


def _as_it_is(answer: Grid) -> Grid:
    return answer
