"""Training puzzles kept apart from test puzzles, and cut into splits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from puzzles.sudoku import Sudoku
from training.dataset import DatasetError, Indices, Split
from training.equivalence import Classes, compare, tells_grids


@dataclass(frozen=True)
class Apart:
    """The training puzzles that no test puzzle is equivalent to, each once."""

    keep: Indices
    grids: Classes  # (N,) of all training puzzles; puzzles of one class go to one split
    outcome: tuple[str, ...]  # what was left out, and how many of each source


def keep_apart(training: Split, test: Split, names: Sequence[str], sudoku: Sudoku) -> Apart:
    """Refuse what a test puzzle resembles by any symmetry; of equivalent puzzles keep the first.

    From 9×9 on, puzzles whose solved grid is equivalent to a test puzzle's are refused as well.
    """
    found = compare(training.puzzles, test.puzzles, sudoku)
    repeats = ~(found.equivalent | found.shares_grid)
    repeats[np.unique(found.questions, return_index=True)[1]] = False
    reasons = [
        ("refused", found.equivalent, "are equivalent to a test puzzle"),
        ("refused", found.shares_grid, "have a solved grid equivalent to a test puzzle's"),
        ("dropped", repeats, "are equivalent to another"),
    ]
    if not tells_grids(sudoku):
        del reasons[1]
    outcome = tuple(
        f"{done} {np.count_nonzero(chosen)} training puzzles that {why}"
        f"{_by_source(training.sources[chosen], names)}"
        for done, chosen, why in reasons
    )
    keep = np.flatnonzero(~(found.equivalent | found.shares_grid | repeats))
    return Apart(keep, found.grids, outcome)


def _by_source(sources: npt.NDArray[np.uint8], names: Sequence[str]) -> str:
    counts = np.bincount(sources, minlength=len(names)).tolist()
    told = [f"{name}: {count}" for name, count in zip(names, counts, strict=True) if count]
    return f" ({', '.join(told)})" if told else ""


@dataclass(frozen=True)
class Cut:
    """Indices of the training puzzles by split; of puzzles that share a grid, one split's alone."""

    train: Indices
    validation: Indices
    test: Indices
    left_out: int  # puzzles that share a grid with held-out ones


def cut(apart: Apart, *, validation: int, test: int, rng: np.random.Generator) -> Cut:
    """Hold out so many puzzles at random. Raises: DatasetError if none are left for training."""
    shuffled = rng.permutation(apart.keep)
    held_out = []
    left_out = 0
    for count in (test, validation):
        held_out.append(np.sort(shuffled[:count]))
        rest = shuffled[count:]
        shuffled = rest[~np.isin(apart.grids[rest], apart.grids[held_out[-1]])]
        left_out += len(rest) - len(shuffled)
    if not len(shuffled):
        message = f"{validation + test} puzzles to hold out of {len(apart.keep)}"
        raise DatasetError(f"{message} leave none for training")
    return Cut(np.sort(shuffled), held_out[1], held_out[0], left_out)
