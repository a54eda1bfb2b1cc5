"""Many views of one question, each with its answer: which answer do they agree on?

Source: TRM reference, evaluators/arc.py: candidates by number of votes, then by mean q.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from puzzles.kind import Grid


@dataclass(frozen=True)
class Vote:
    """answer: (H, W) colours as the question itself is written; how sure its view was."""

    answer: Grid
    halt_probability: float


@dataclass(frozen=True)
class Candidate:
    """An answer and who is for it: so many votes, a share of all, their mean halt probability."""

    answer: Grid
    votes: int
    share: float
    halt_probability: float


def ranked(votes: Iterable[Vote]) -> list[Candidate]:
    """All answers, best first. An answer without cells is none, but its vote counts in shares."""
    groups: dict[tuple[tuple[int, ...], bytes], list[Vote]] = {}
    total = 0
    for vote in votes:
        total += 1
        if vote.answer.size:
            key = (vote.answer.shape, np.ascontiguousarray(vote.answer).tobytes())
            groups.setdefault(key, []).append(vote)
    candidates = [
        Candidate(
            group[0].answer,
            votes=len(group),
            share=len(group) / total,
            halt_probability=sum(vote.halt_probability for vote in group) / len(group),
        )
        for group in groups.values()
    ]
    return sorted(candidates, key=lambda c: (c.votes, c.halt_probability), reverse=True)
