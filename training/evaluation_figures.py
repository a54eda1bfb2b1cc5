"""What an evaluation says, as one JSON object.

Shares are in 0..1; exact = every cell is the label's; verified = the rules accept the answer.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from puzzles.restarts import Restart

FORMAT_VERSION = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepFigures(_Frozen):
    """After one supervision step of the first attempt; shares of all puzzles.

    A puzzle that left verified (after the common steps) counts with the answer it left with.
    halted: some q_halt up to here was above 0; halted_exact: of those, the share that was exact at
    the first such step. Both None beyond the common steps, where no longer all puzzles run.
    """

    supervision_step: int
    exact: float
    cell_accuracy: float
    verified: float
    halted: float | None
    halted_exact: float | None


class AttemptFigures(_Frozen):
    """After so many attempts, each ended by the first verified answer or by its last step.

    verified: share of all puzzles; exact: share whose first verified answer is the label;
    mean_supervision_steps: over all attempts so far, unverified puzzles with their whole budget.
    """

    attempts: int
    verified: float
    exact: float
    mean_supervision_steps: float


class ProbabilityBin(_Frozen):
    """Steps whose halt probability lies in [low, high): how often the answer was exact."""

    low: float
    high: float
    count: int
    mean_probability: float | None
    exact: float | None


class Calibration(_Frozen):
    """Halt probability against exactness, over every puzzle and common step of attempt 1.

    brier: mean squared error; ece: mean distance of probability and share in a bin, by its count.
    """

    brier: float
    ece: float
    bins: tuple[ProbabilityBin, ...]


class GroupFigures(_Frozen):
    """Some of the puzzles: all, those of a range of ratings, or those of a source.

    exact, cell_accuracy: after each entry of `Evaluation.steps`; verified: after each attempt.
    """

    by: Literal["all", "rating", "source"]
    name: str
    puzzles: int
    exact: tuple[float, ...]
    cell_accuracy: tuple[float, ...]
    verified: tuple[float, ...]
    mean_supervision_steps: float


class BudgetFigures(_Frozen):
    """The headline: what a budget of steps and attempts gets. `exact` as in Steps and Attempts."""

    supervision_steps: int
    attempts: int
    exact: float
    verified: float


class Evaluation(_Frozen):
    """All figures of one model on one set of puzzles.

    reverted: puzzles that were exact after some common step, but not after the last of these.
    """

    format_version: int = FORMAT_VERSION
    model: str
    puzzle: str
    data: str
    puzzles: int
    steps: tuple[int, ...]
    attempts: int
    restart: Restart
    budgets: tuple[BudgetFigures, ...]
    by_step: tuple[StepFigures, ...]
    by_attempt: tuple[AttemptFigures, ...]
    calibration: Calibration
    reverted: int
    groups: tuple[GroupFigures, ...]
