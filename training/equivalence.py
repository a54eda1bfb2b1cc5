"""Which puzzles of a collection are equivalent, and which have equivalent solved grids.

Equivalent puzzles are never missed. Cheap invariants come first; where they agree, canonical forms
decide, which is exact up to 9×9. Above, few puzzles may count as equivalent that are not.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from puzzles.sudoku import Sudoku
from training.canonical import LARGEST, canonical_forms, grid_invariants
from training.dataset import PuzzleArrays
from training.fingerprint import fingerprints
from training.sudoku_generator import have_one_solution

Classes = npt.NDArray[np.int64]  # (N,), equal where puzzles are equivalent

# Of smaller sizes there are too few: 2 grids of 4×4 and 49 of 6×6, but 5,472,730,538 of 9×9.
GRIDS_TELL_FROM = 9
_AT_ONCE = 1024


@dataclass(frozen=True)
class Comparison:
    """Puzzles beside test puzzles; (N,) each."""

    questions: Classes
    grids: Classes  # those of the questions where grids are not compared
    equivalent: npt.NDArray[np.bool_]  # to a test puzzle
    shares_grid: npt.NDArray[np.bool_]  # with a test puzzle that it is not equivalent to


def compare(puzzles: PuzzleArrays, test: PuzzleArrays, sudoku: Sudoku) -> Comparison:
    """Which puzzles a test puzzle resembles, by question and from 9×9 on by solved grid."""
    count = len(puzzles)
    together = PuzzleArrays.concatenate([puzzles, test])
    questions = question_classes(together, sudoku)
    equivalent = np.isin(questions[:count], questions[count:])
    grids = grid_classes(together, sudoku) if tells_grids(sudoku) else questions
    shares_grid = np.isin(grids[:count], grids[count:]) & ~equivalent
    return Comparison(questions[:count], grids[:count], equivalent, shares_grid)


def tells_grids(sudoku: Sudoku) -> bool:
    """Whether a size has enough solved grids that sharing one means anything."""
    return sudoku.size >= GRIDS_TELL_FROM


def question_classes(puzzles: PuzzleArrays, sudoku: Sudoku) -> Classes:
    """Equal wherever a symmetry takes one question to the other.

    Up to 9×9, of questions with one solution, only there. Of others, where fingerprints do not tell
    them apart, too.
    """
    classes, doubtful = _by_invariant(fingerprints(puzzles.questions, sudoku), sudoku)
    decidable = doubtful[have_one_solution(puzzles[doubtful], sudoku)]
    return _told_apart(classes, decidable, _forms(puzzles[decidable], sudoku))


def grid_classes(puzzles: PuzzleArrays, sudoku: Sudoku) -> Classes:
    """Equal wherever a symmetry takes one solved grid to the other; up to 9×9, only there."""
    classes, doubtful = _by_invariant(grid_invariants(puzzles.answers, sudoku), sudoku)
    return _told_apart(classes, doubtful, _forms(puzzles[doubtful], sudoku)[:, 0])


def _by_invariant(
    invariants: npt.NDArray[np.uint64], sudoku: Sudoku
) -> tuple[Classes, npt.NDArray[np.int64]]:
    """Classes by what no symmetry changes, and the puzzles whose forms have to decide."""
    _, classes, counts = np.unique(invariants, axis=0, return_inverse=True, return_counts=True)
    can_decide = sudoku.size <= LARGEST
    return classes, np.flatnonzero((counts[classes] > 1) & can_decide)


def _told_apart(
    classes: Classes, doubtful: npt.NDArray[np.int64], forms: npt.NDArray[np.uint8]
) -> Classes:
    """Decide by the forms of the doubtful puzzles, whatever their shape."""
    if doubtful.size:
        _, exact = np.unique(forms, axis=0, return_inverse=True)
        classes[doubtful] = classes.max() + 1 + exact
    return classes


def _forms(puzzles: PuzzleArrays, sudoku: Sudoku) -> npt.NDArray[np.uint8]:
    """As `canonical_forms`, by all cores."""
    if not len(puzzles):
        return np.zeros((0, 2, sudoku.spec.seq_len), np.uint8)
    parts = [puzzles[start : start + _AT_ONCE] for start in range(0, len(puzzles), _AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        forms = pool.map(lambda one: canonical_forms(one.questions, one.answers, sudoku), parts)
        return np.concatenate(list(forms))
