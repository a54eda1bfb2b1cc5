"""What answers to ARC's questions are worth: pass@k as the competition counts, and its file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from puzzles.kind import Grid
from training.task_solves import Answered

PASSES = (1, 2, 5, 10)
ATTEMPTS = 2


class TaskScores(BaseModel):
    """pass_at[k]: mean over tasks of the share of their questions solved within k candidates.

    solved: names of tasks all of whose questions are solved within two.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tasks: int
    questions: int
    views: int
    max_steps: int
    mean_steps: float
    pass_at: dict[int, float]
    solved: tuple[str, ...]


def scored(
    answered: Sequence[Answered],
    answers: Mapping[tuple[str, int], Grid],
    *,
    views: int,
    max_steps: int,
) -> TaskScores:
    """answers: the right one by task name and question index, for every question answered."""
    ranks: dict[str, list[float]] = {}
    for one in answered:
        right = answers[one.question.name, one.question.index]
        rank = next(
            (i for i, c in enumerate(one.candidates, 1) if np.array_equal(c.answer, right)), np.inf
        )
        ranks.setdefault(one.question.name, []).append(rank)
    shares = {k: [np.mean(np.array(r) <= k) for r in ranks.values()] for k in PASSES}
    return TaskScores(
        tasks=len(ranks),
        questions=len(answered),
        views=views,
        max_steps=max_steps,
        mean_steps=float(np.mean([one.mean_steps for one in answered])),
        pass_at={k: float(np.mean(share)) for k, share in shares.items()},
        solved=tuple(name for name, r in ranks.items() if max(r) <= ATTEMPTS),
    )


def is_solved(one: Answered, right: Grid) -> bool:
    """Whether one of the two attempts is right."""
    return any(np.array_equal(c.answer, right) for c in one.candidates[:ATTEMPTS])


def submission(answered: Sequence[Answered]) -> dict[str, list[dict[str, Any]]]:
    """The competition's format: two attempts for each question of each task.

    A question without an answer gets [[0]], as a file without one is refused.
    """
    entries: dict[str, list[dict[str, Any]]] = {}
    for one in answered:
        grids = [c.answer.tolist() for c in one.candidates[:ATTEMPTS]] or [[[0]]]
        attempts = {f"attempt_{i + 1}": grids[min(i, len(grids) - 1)] for i in range(ATTEMPTS)}
        entries.setdefault(one.question.name, []).append(attempts)
    return entries
