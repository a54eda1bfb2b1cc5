"""What tells a later attempt from the first: start noise, another view, or a few guesses.

Shared by the server, which restarts puzzles, and by evaluation, which measures those restarts.
Everything is drawn from a fixed seed and the attempt's number: the same question gets the same
attempts again.
"""

from functools import lru_cache
from itertools import islice
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from puzzles.kind import Grid, PuzzleKind, View

SEED = 0


class Restart(BaseModel):
    """How a model's attempts differ.

    noise: Gaussian start noise of `noise_scale`. views: the question under another symmetry.
    guesses: the question with some of the first attempt's own answers as further givens, between
    `guesses[0]` and `guesses[1]` of them, and start noise. The network still does all deduction,
    and the rules judge the answer against the question as it was asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["noise", "views", "guesses"]
    noise_scale: float = Field(default=0.0, ge=0)
    guesses: tuple[int, int] = (0, 0)


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


def view_of_attempt(
    kind: PuzzleKind, question: Grid, first_answer: Grid | None, restart: Restart, attempt: int
) -> View:
    """How an attempt, counted from 1, sees the question.

    first_answer: what the first attempt ended with; guesses are taken from it.
    """
    if attempt > 1 and restart.by == "views":
        views = kind.views(question, np.random.default_rng(SEED))
        return next(islice(views, attempt - 1, None))
    if attempt > 1 and restart.by == "guesses" and first_answer is not None:
        rng = np.random.default_rng((SEED, attempt))
        low, high = restart.guesses
        count = int(rng.integers(low, high + 1))
        question = with_guesses(kind, question, first_answer, count, rng)
    return View(question, undo=lambda answer: answer)


def with_guesses(
    kind: PuzzleKind, question: Grid, answer: Grid, count: int, rng: np.random.Generator
) -> Grid:
    """`question` with up to `count` symbols of `answer` in randomly chosen empty cells.

    A guess that clashes with what stands in one of its units already is passed over.
    """
    cells, guesses = question.flatten(), answer.ravel().tolist()
    units_of = kind.units_of_cells
    standing = {
        (unit, symbol)
        for cell, symbol in enumerate(cells.tolist())
        if symbol
        for unit in units_of[cell]
    }
    for cell in rng.permutation(np.flatnonzero(cells == 0)).tolist():
        if count == 0:
            break
        symbol = guesses[cell]
        places = {(unit, symbol) for unit in units_of[cell]}
        if symbol and not places & standing:
            cells[cell] = symbol
            standing |= places
            count -= 1
    return cells.reshape(question.shape)
