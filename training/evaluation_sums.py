"""Figures of many solves: by supervision step, by attempt, of the halt probability, by group."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from puzzles.kind import Grid
from training.evaluation_data import EvaluationData
from training.evaluation_figures import (
    BudgetFigures,
    Calibration,
    GroupFigures,
    ProbabilityBin,
    StepFigures,
    UnsolvedPuzzle,
)
from training.solves import Bools, Budget, Ints, Solves

RATING_BINS = ((0, 0), (1, 9), (10, 29), (30, 59), (60, None))  # guesses, both ends included
PROBABILITY_BINS = 10
PERCENTILE = 99


class Outcome(NamedTuple):
    """What a budget did to each of N puzzles."""

    exact: Bools  # (N,)
    verified: Bools  # (N,)
    spent: Ints  # (N,) supervision steps until verified, or all


@dataclass(frozen=True)
class Way:
    """Solves of a budget, looked at as smaller budgets too: fewer steps, or fewer attempts."""

    solves: Solves
    budget: Budget

    def after_steps(self, steps: int) -> Outcome:
        """A single attempt of so many supervision steps."""
        verified = self._verified_step <= steps
        spent = np.minimum(self._verified_step, steps)
        return Outcome(self.solves.exact[:, steps - 1], verified, spent)

    def after_attempts(self, attempts: int) -> Outcome:
        """So many attempts of the budget's steps."""
        verified = np.asarray((self.solves.verified_at[:, :attempts] > 0).any(axis=1))
        return Outcome(verified & self.solves.found, verified, self._spent[:, attempts - 1])

    @cached_property
    def _verified_step(self) -> Ints:
        """(N,) the first verified step of the first attempt; beyond all steps if there is none."""
        verified = self.solves.verified
        first = np.where(verified.any(axis=1), verified.argmax(axis=1), verified.shape[1])
        return np.asarray(first + 1)

    @cached_property
    def _spent(self) -> Ints:
        """(N, A) supervision steps of this and all earlier attempts."""
        at = self.solves.verified_at
        return np.asarray(np.cumsum(np.where(at > 0, at, self.solves.steps), axis=1))


def by_step(depth: Way) -> tuple[StepFigures, ...]:
    """The curve of a single attempt."""
    return tuple(_step_figures(depth, step) for step in range(1, depth.budget.most + 1))


def _step_figures(depth: Way, step: int) -> StepFigures:
    solves, halted, halted_exact = depth.solves, None, None
    if step <= depth.budget.common:
        above = solves.q_halt[:, :step] > 0
        has_halted, first = above.any(axis=1), above.argmax(axis=1)
        halted = float(has_halted.mean())
        if has_halted.any():
            halted_exact = float(solves.exact[has_halted, first[has_halted]].mean())
    outcome = depth.after_steps(step)
    return StepFigures(
        supervision_step=step,
        exact=float(outcome.exact.mean()),
        cell_accuracy=float(solves.right_cells[:, step - 1].mean()),
        verified=float(outcome.verified.mean()),
        mean_supervision_steps=float(outcome.spent.mean()),
        halted=halted,
        halted_exact=halted_exact,
    )


def by_attempt(tries: Way) -> tuple[BudgetFigures, ...]:
    """The curve over attempts, of all puzzles."""
    everybody = np.ones(len(tries.solves.found), np.bool_)
    counts = tuple(range(1, tries.budget.attempts + 1))
    return _attempt_figures(tries, counts, everybody)


def _attempt_figures(
    tries: Way, attempts: tuple[int, ...], chosen: Bools
) -> tuple[BudgetFigures, ...]:
    return tuple(
        _budget_figures(tries.after_attempts(count), chosen, tries.budget.most, count)
        for count in attempts
    )


def _budget_figures(outcome: Outcome, chosen: Bools, steps: int, attempts: int) -> BudgetFigures:
    spent = outcome.spent[chosen]
    return BudgetFigures(
        supervision_steps=steps,
        attempts=attempts,
        exact=float(outcome.exact[chosen].mean()),
        verified=float(outcome.verified[chosen].mean()),
        mean_supervision_steps=float(spent.mean()),
        p99_supervision_steps=float(np.percentile(spent, PERCENTILE, method="inverted_cdf")),
    )


def groups(
    data: EvaluationData, depth: Way, tries: Way | None, attempts: tuple[int, ...]
) -> tuple[GroupFigures, ...]:
    """Figures of all puzzles, then by rating, then by source; of groups that have a puzzle."""
    return tuple(
        GroupFigures(
            by=by,
            name=name,
            puzzles=int(chosen.sum()),
            cell_accuracy=float(depth.solves.right_cells[chosen, depth.budget.common - 1].mean()),
            depth=tuple(
                _budget_figures(depth.after_steps(steps), chosen, steps, 1)
                for steps in depth.budget.steps
            ),
            attempts=() if tries is None else _attempt_figures(tries, attempts, chosen),
        )
        for by, name, chosen in _grouped(data)
        if chosen.any()
    )


def _grouped(
    data: EvaluationData,
) -> Iterator[tuple[Literal["all", "rating", "source"], str, Bools]]:
    yield "all", "all", np.ones(len(data), np.bool_)
    for low, high in RATING_BINS:
        chosen = (data.ratings >= low) & (True if high is None else data.ratings <= high)
        name = f"{low}+" if high is None else f"{low}-{high}" if high > low else f"{low}"
        yield "rating", name, chosen
    for index, source in enumerate(data.source_names):
        yield "source", source, data.sources == index


def unsolved(data: EvaluationData, way: Way) -> Iterator[UnsolvedPuzzle]:
    """The puzzles that stayed unverified in all attempts."""
    outcome, spec = way.after_attempts(way.budget.attempts), data.kind.spec

    def line(cells: npt.NDArray[np.uint8]) -> str:
        grid: Grid = cells.reshape(spec.height, spec.width)
        return data.kind.format(grid)

    for puzzle in np.flatnonzero(~outcome.verified).tolist():
        answer = way.solves.best_answer[puzzle]
        yield UnsolvedPuzzle(
            question=line(data.questions[puzzle]),
            rating=int(data.ratings[puzzle]),
            source=data.source_names[data.sources[puzzle]],
            answer=line(answer),
            wrong_cells=int((answer != data.answers[puzzle]).sum()),
            halt_logit=float(way.solves.best_q[puzzle]),
            supervision_steps=int(outcome.spent[puzzle]),
        )


def calibrate(q_halt: npt.NDArray[np.float32], exact: Bools) -> Calibration:
    """Reliability of halt logits (M,) as forecasts of exactness (M,)."""
    probability = 0.5 * (1 + np.tanh(q_halt.astype(np.float64) / 2))  # never overflows
    place = np.minimum((probability * PROBABILITY_BINS).astype(np.int64), PROBABILITY_BINS - 1)
    bins = []
    ece = 0.0
    for i in range(PROBABILITY_BINS):
        chosen = place == i
        count = int(chosen.sum())
        mean = float(probability[chosen].mean()) if count else None
        share = float(exact[chosen].mean()) if count else None
        if mean is not None and share is not None:
            ece += count / len(q_halt) * abs(mean - share)
        bins.append(
            ProbabilityBin(
                low=i / PROBABILITY_BINS,
                high=(i + 1) / PROBABILITY_BINS,
                count=count,
                mean_probability=mean,
                exact=share,
            )
        )
    return Calibration(
        brier=float(np.square(probability - exact).mean()), ece=ece, bins=tuple(bins)
    )
