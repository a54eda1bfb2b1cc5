"""What an evaluation says, as one JSON object.

Shares are in 0..1; exact = every cell is the label's; verified = the rules accept the answer.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from puzzles.restarts import Restart

FORMAT_VERSION = 2


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepFigures(_Frozen):
    """After one supervision step of a single attempt; shares of all puzzles.

    A puzzle that left verified (after the common steps) counts with the answer it left with.
    mean_supervision_steps: until verified, or up to here. halted: some q_halt up to here was above
    0; halted_exact: of those, the share that was exact at the first such step. Both None beyond the
    common steps, where no longer all puzzles run.
    """

    supervision_step: int
    exact: float
    cell_accuracy: float
    verified: float
    mean_supervision_steps: float
    halted: float | None
    halted_exact: float | None


class BudgetFigures(_Frozen):
    """What a budget of so many attempts of so many supervision steps gets, and costs.

    exact: of a single attempt, the answers after its last step; of several, the first verified
    ones. mean, p99: supervision steps of a puzzle over all attempts, unverified puzzles with their
    whole budget; p99 is the 99th percentile.
    """

    supervision_steps: int
    attempts: int
    exact: float
    verified: float
    mean_supervision_steps: float
    p99_supervision_steps: float


class ProbabilityBin(_Frozen):
    """Steps whose halt probability lies in [low, high): how often the answer was exact."""

    low: float
    high: float
    count: int
    mean_probability: float | None
    exact: float | None


class Calibration(_Frozen):
    """Halt probability against exactness, over every puzzle and common step of one attempt.

    brier: mean squared error; ece: mean distance of probability and share in a bin, by its count.
    """

    brier: float
    ece: float
    bins: tuple[ProbabilityBin, ...]


class GroupFigures(_Frozen):
    """Some of the puzzles: all, those of a range of ratings, or those of a source.

    depth: a single attempt of each of `Evaluation.steps`; cell_accuracy: after the first of them;
    attempts: each of `Evaluation.attempts`.
    """

    by: Literal["all", "rating", "source"]
    name: str
    puzzles: int
    cell_accuracy: float
    depth: tuple[BudgetFigures, ...]
    attempts: tuple[BudgetFigures, ...]

    @property
    def most(self) -> BudgetFigures:
        """The largest budget of attempts, or of steps where there was a single attempt."""
        return (self.attempts or self.depth)[-1]


class Origin(_Frozen):
    """How the figures came about."""

    command: str
    machine: str
    wall_seconds: float


class Evaluation(_Frozen):
    """All figures of one model on one set of puzzles, solved in two ways.

    A single attempt, ever deeper (`steps`, `by_step`); and attempts of `attempt_steps` each, where
    any were asked for (`attempts`, `by_attempt`).
    puzzles: how many the figures are of; fewer than planned where the evaluation was interrupted.
    reverted: puzzles that were exact after some common step, but not after the last of these.
    """

    format_version: int = FORMAT_VERSION
    model: str
    puzzle: str
    data: str
    puzzles: int
    planned: int
    steps: tuple[int, ...]
    attempts: tuple[int, ...]
    attempt_steps: int
    restart: Restart
    by_step: tuple[StepFigures, ...]
    by_attempt: tuple[BudgetFigures, ...]
    calibration: Calibration
    reverted: int
    groups: tuple[GroupFigures, ...]
    origin: Origin | None = None

    @property
    def budgets(self) -> tuple[BudgetFigures, ...]:
        """The headline: each budget's figures of all puzzles, once."""
        everybody = self.groups[0]
        depths = {(at.supervision_steps, at.attempts) for at in everybody.depth}
        several = (
            at for at in everybody.attempts if (at.supervision_steps, at.attempts) not in depths
        )
        return (*everybody.depth, *several)


class UnsolvedPuzzle(_Frozen):
    """A puzzle that no attempt verified, for people to look at.

    answer: the one that the network believed in most (highest halt logit); wrong_cells: of it, the
    cells that are empty or not the label's.
    """

    question: str
    rating: int
    source: str
    answer: str
    wrong_cells: int
    halt_logit: float
    supervision_steps: int
