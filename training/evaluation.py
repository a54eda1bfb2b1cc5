"""Figures of many solves: by supervision step, by attempt, of the halt probability, by group."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from model.stepper import Stepper
from training.evaluation_data import EvaluationData
from training.evaluation_figures import (
    AttemptFigures,
    BudgetFigures,
    Calibration,
    Evaluation,
    GroupFigures,
    ProbabilityBin,
    StepFigures,
)
from training.solves import Bools, Budget, EvaluationError, Solves, solve_all

RATING_BINS = ((0, 0), (1, 9), (10, 29), (30, 59), (60, None))  # guesses, both ends included
PROBABILITY_BINS = 10


def evaluate(
    stepper: Stepper,
    data: EvaluationData,
    budget: Budget,
    *,
    model_name: str,
    on_step: Callable[[int, int, int], None],
) -> Evaluation:
    """Solve every puzzle of `data` and sum up; `on_step(attempt, puzzles done, puzzles)`.

    Raises: EvaluationError if the stepper answers another puzzle.
    """
    if stepper.spec.name != data.kind.spec.name:
        wanted = f"{data.name} holds {data.kind.spec.name}"
        raise EvaluationError(f"{wanted}, but the model answers {stepper.spec.name}")
    solves = solve_all(stepper, data, budget, on_step)
    by_attempt = _by_attempt(solves)
    common_exact = solves.exact[:, : budget.common]
    return Evaluation(
        model=model_name,
        puzzle=stepper.spec.name,
        data=data.name,
        puzzles=len(data),
        steps=budget.steps,
        attempts=budget.attempts,
        restart=budget.restart,
        budgets=_headline(solves, budget, by_attempt),
        by_step=tuple(_step_figures(solves, budget, step) for step in range(1, budget.most + 1)),
        by_attempt=by_attempt,
        calibration=calibrate(solves.q_halt[:, : budget.common].ravel(), common_exact.ravel()),
        reverted=int((common_exact.any(axis=1) & ~common_exact[:, -1]).sum()),
        groups=_groups(data, solves, budget),
    )


def _step_figures(solves: Solves, budget: Budget, step: int) -> StepFigures:
    halted = halted_exact = None
    if step <= budget.common:
        above = solves.q_halt[:, :step] > 0
        has_halted, first = above.any(axis=1), above.argmax(axis=1)
        halted = float(has_halted.mean())
        if has_halted.any():
            halted_exact = float(solves.exact[has_halted, first[has_halted]].mean())
    return StepFigures(
        supervision_step=step,
        exact=float(solves.exact[:, step - 1].mean()),
        cell_accuracy=float(solves.right_cells[:, step - 1].mean()),
        verified=float(_verified_within(solves, step).mean()),
        halted=halted,
        halted_exact=halted_exact,
    )


def _verified_within(solves: Solves, step: int) -> Bools:
    """(N,) bool: verified after some step up to this one of the first attempt."""
    return np.asarray(solves.verified[:, :step].any(axis=1))


def _steps_spent(solves: Solves) -> npt.NDArray[np.int64]:
    """(N, A) supervision steps of each attempt, 0 where it was not needed."""
    return np.where(solves.verified_at > 0, solves.verified_at, solves.steps)


def _by_attempt(solves: Solves) -> tuple[AttemptFigures, ...]:
    verified = np.logical_or.accumulate(solves.verified_at > 0, axis=1)
    spent = np.cumsum(_steps_spent(solves), axis=1)
    return tuple(
        AttemptFigures(
            attempts=attempt + 1,
            verified=float(verified[:, attempt].mean()),
            exact=float((verified[:, attempt] & solves.found).mean()),
            mean_supervision_steps=float(spent[:, attempt].mean()),
        )
        for attempt in range(verified.shape[1])
    )


def _headline(
    solves: Solves, budget: Budget, by_attempt: tuple[AttemptFigures, ...]
) -> tuple[BudgetFigures, ...]:
    one_attempt = [
        BudgetFigures(
            supervision_steps=step,
            attempts=1,
            exact=float(solves.exact[:, step - 1].mean()),
            verified=float(_verified_within(solves, step).mean()),
        )
        for step in budget.steps
    ]
    several = [
        BudgetFigures(
            supervision_steps=budget.most,
            attempts=figures.attempts,
            exact=figures.exact,
            verified=figures.verified,
        )
        for figures in by_attempt[1:][-1:]
    ]
    return (*one_attempt, *several)


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


def _groups(data: EvaluationData, solves: Solves, budget: Budget) -> tuple[GroupFigures, ...]:
    groups = [_group("all", "all", np.ones(len(data), np.bool_), solves, budget)]
    for low, high in RATING_BINS:
        chosen = (data.ratings >= low) & (True if high is None else data.ratings <= high)
        name = f"{low}+" if high is None else f"{low}-{high}" if high > low else f"{low}"
        groups.append(_group("rating", name, chosen, solves, budget))
    for index, source in enumerate(data.source_names):
        groups.append(_group("source", source, data.sources == index, solves, budget))
    return tuple(group for group in groups if group is not None)


def _group(
    by: Literal["all", "rating", "source"],
    name: str,
    chosen: Bools,
    solves: Solves,
    budget: Budget,
) -> GroupFigures | None:
    """None where there is no such puzzle."""
    if not chosen.any():
        return None
    at = [step - 1 for step in budget.steps]
    verified = np.logical_or.accumulate(solves.verified_at[chosen] > 0, axis=1)
    return GroupFigures(
        by=by,
        name=name,
        puzzles=int(chosen.sum()),
        exact=tuple(solves.exact[chosen][:, at].mean(axis=0).tolist()),
        cell_accuracy=tuple(solves.right_cells[chosen][:, at].mean(axis=0).tolist()),
        verified=tuple(verified.mean(axis=0).tolist()),
        mean_supervision_steps=float(_steps_spent(solves)[chosen].sum(axis=1).mean()),
    )
