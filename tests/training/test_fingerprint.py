"""Equal for equivalent questions, by whatever symmetry, and different for others."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from puzzles.kind import Example
from puzzles.sudoku import Sudoku
from training.fingerprint import fingerprints
from training.sudoku_generator import generate_chunk

SIZES = (Sudoku(2, 2), Sudoku(2, 3), Sudoku(3, 3))


def found(sudoku: Sudoku, questions: npt.NDArray[np.uint8]) -> set[bytes]:
    return {one.tobytes() for one in fingerprints(questions.reshape(len(questions), -1), sudoku)}


@pytest.mark.parametrize("sudoku", SIZES, ids=lambda sudoku: sudoku.spec.name)
def test_every_symmetry_leaves_a_questions_fingerprint(sudoku: Sudoku) -> None:
    made = generate_chunk(sudoku, seed=2, chunk_index=0, count=4)
    rng = np.random.default_rng(0)
    for cells in made.questions:
        grid = cells.reshape(sudoku.size, sudoku.size)
        others = [sudoku.augment(Example(grid, grid), rng)[0].question for _ in range(30)]
        assert len({other.tobytes() for other in others}) > 20
        assert len(found(sudoku, np.stack([grid, *others]))) == 1


def test_a_question_without_one_of_its_givens_is_another_question() -> None:
    sudoku = Sudoku(3, 3)
    question = generate_chunk(sudoku, seed=2, chunk_index=0, count=1).questions[0]
    givens = np.flatnonzero(question)
    fewer = np.tile(question, (len(givens), 1))
    fewer[np.arange(len(givens)), givens] = 0
    assert len(found(sudoku, np.stack([question, *fewer]))) == 1 + len(givens)


def test_questions_of_three_givens_are_told_apart_exactly() -> None:
    """By the orbits of all 4×4 questions with three givens under generators of the group."""
    sudoku = Sudoku(2, 2)
    questions = []
    for cells in itertools.combinations(range(16), 3):
        for symbols in itertools.product((1, 2, 3, 4), repeat=3):
            question = np.zeros(16, np.uint8)
            question[list(cells)] = symbols
            questions.append(question)
    all_of_them = np.stack(questions)
    assert len(found(sudoku, all_of_them)) == _orbits(all_of_them)


def _orbits(questions: npt.NDArray[np.uint8]) -> int:
    """Equivalence classes, by union of each question with its images under the generators."""
    number = {question.tobytes(): i for i, question in enumerate(questions)}
    root = list(range(len(questions)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    grids = questions.reshape(-1, 4, 4)
    images = [
        grids.transpose(0, 2, 1),
        grids[:, [1, 0, 2, 3]],
        grids[:, [2, 3, 0, 1]],
        np.array([0, 2, 1, 3, 4], np.uint8)[grids],
        np.array([0, 2, 3, 4, 1], np.uint8)[grids],
    ]
    for image in images:
        for i, grid in enumerate(image):
            root[find(i)] = find(number[np.ascontiguousarray(grid).tobytes()])
    return len({find(i) for i in range(len(questions))})


def test_no_questions_have_no_fingerprints() -> None:
    assert fingerprints(np.zeros((0, 81), np.uint8), Sudoku(3, 3)).shape == (0, 2)
