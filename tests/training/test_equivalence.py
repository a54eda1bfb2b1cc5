"""Puzzles are of one class exactly where a symmetry takes one to the other."""

from functools import cache
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
import pytest

from puzzles.kind import Example, Verdict
from puzzles.sudoku import SUDOKUS, Sudoku
from training.dataset import PuzzleArrays
from training.equivalence import Classes, grid_classes, question_classes
from training.fingerprint import fingerprints
from training.sudoku_generator import generate_chunk

FOUR, SIX, NINE, SIXTEEN, _ = SUDOKUS
# One of each of the two classes of full 4×4 grids, 288 grids in all.
GRIDS = ("1234341221434321", "1234341223414123")


def _arrays(questions: npt.NDArray[np.uint8], answers: npt.NDArray[np.uint8]) -> PuzzleArrays:
    return PuzzleArrays(questions, answers, np.zeros(len(questions), np.int32))


def _images(sudoku: Sudoku, made: PuzzleArrays, count: int) -> PuzzleArrays:
    """`count` random symmetries of each puzzle, one puzzle's behind the other's."""
    rng, shape = np.random.default_rng(0), (sudoku.size, sudoku.size)
    examples = [
        sudoku.augment(Example(question.reshape(shape), answer.reshape(shape)), rng)[0]
        for question, answer in zip(made.questions, made.answers, strict=True)
        for _ in range(count)
    ]
    return _arrays(
        np.stack([one.question.ravel() for one in examples]),
        np.stack([one.answer.ravel() for one in examples]),
    )


def _count(classes: Classes | npt.NDArray[np.generic]) -> int:
    return len(np.unique(classes, axis=0))


@pytest.mark.parametrize("sudoku", SUDOKUS, ids=lambda sudoku: sudoku.spec.name)
def test_symmetries_leave_a_puzzle_in_its_class_and_in_its_grids(sudoku: Sudoku) -> None:
    made = generate_chunk(sudoku, seed=3, chunk_index=0, count=3, extra_givens=(0, 3))
    images = _images(sudoku, made, 12)
    assert _count(images.questions) > 24
    questions = question_classes(images, sudoku).reshape(3, 12)
    grids = grid_classes(images, sudoku).reshape(3, 12)
    assert (questions == questions[:, :1]).all()
    assert (grids == grids[:, :1]).all()


@pytest.mark.parametrize("sudoku", [NINE, SIXTEEN], ids=lambda sudoku: sudoku.spec.name)
def test_fresh_puzzles_share_no_class(sudoku: Sudoku) -> None:
    made = generate_chunk(sudoku, seed=4, chunk_index=0, count=8)
    assert _count(question_classes(made, sudoku)) == 8
    assert _count(grid_classes(made, sudoku)) == 8


def test_a_puzzle_with_one_given_more_is_another_with_the_same_grid() -> None:
    made = generate_chunk(NINE, seed=5, chunk_index=0, count=1)
    empty = np.flatnonzero(made.questions[0] == 0)
    more = np.repeat(made.questions, len(empty), axis=0)
    more[np.arange(len(empty)), empty] = made.answers[0, empty]
    both = _arrays(
        np.concatenate([made.questions, more]), np.repeat(made.answers, len(empty) + 1, axis=0)
    )
    assert _count(question_classes(both, NINE)) == len(empty) + 1
    assert _count(grid_classes(both, NINE)) == 1


def test_questions_with_several_solutions_are_one_class_whatever_answer_is_given() -> None:
    answers = _full_grids()
    question = np.zeros(16, np.uint8)
    question[0] = 1
    agreeing = answers[answers[:, 0] == 1]
    puzzles = _arrays(np.tile(question, (len(agreeing), 1)), agreeing)
    assert _count(grid_classes(puzzles, FOUR)) == 2
    assert _count(question_classes(puzzles, FOUR)) == 1


def test_all_288_grids_of_4x4_are_of_two_classes() -> None:
    answers = _full_grids()
    assert len(answers) == 288
    assert _count(grid_classes(_arrays(answers, answers), FOUR)) == 2


def test_grids_of_6x6_are_of_49_classes() -> None:
    made = generate_chunk(SIX, seed=6, chunk_index=0, count=6000)
    assert _count(grid_classes(made, SIX)) == 49


def test_all_4x4_puzzles_are_told_apart_exactly_where_brute_force_tells_them_apart() -> None:
    """Also those, with regular givens, that fingerprints cannot tell apart."""
    puzzles = _proper_puzzles()
    ours = question_classes(puzzles, FOUR)
    _, exact = np.unique(_brute_forms(puzzles.questions), axis=0, return_inverse=True)
    classes = _count(exact)
    assert _count(fingerprints(puzzles.questions, FOUR)) < classes
    assert _count(ours) == classes == _count(np.stack([ours, exact], 1))


@cache
def _full_grids() -> npt.NDArray[np.uint8]:
    """All of them, (288, 16), by trying every combination of four rows."""
    grids = np.array(list(product(permutations((1, 2, 3, 4)), repeat=4)), np.uint8)
    grids = grids[(np.sort(grids, axis=1) == np.array([[1], [2], [3], [4]])).all((1, 2))]
    verdicts = FOUR.verify_all(np.zeros_like(grids), grids)
    return grids[[verdict is Verdict.solved for verdict in verdicts]].reshape(-1, 16)


def _proper_puzzles() -> PuzzleArrays:
    """A quarter of the questions that have one solution, and that one of `GRIDS`."""
    masks = (np.arange(0, 1 << 16, 4)[:, None] >> np.arange(16) & 1).astype(np.uint8)
    questions, answers = [], []
    for text in GRIDS:
        answer = FOUR.parse(text).ravel()
        differ = (_full_grids() != answer)[(_full_grids() != answer).any(1)]
        proper = masks[(masks.astype(np.float32) @ differ.T.astype(np.float32) > 0).all(1)]
        questions.append(proper * answer)
        answers.append(np.tile(answer, (len(proper), 1)))
    return _arrays(np.concatenate(questions), np.concatenate(answers))


def _brute_forms(questions: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The least of all 128 images, symbols named in order of appearance; (N, 16)."""
    lines = [p for p in permutations(range(4)) if {p[0], p[1]} in ({0, 1}, {2, 3})]
    cells = np.arange(16).reshape(4, 4)
    least = np.full(questions.shape, 255, np.uint8)
    for rows, columns in product(lines, lines):
        for moved in (cells[np.ix_(rows, columns)], cells[np.ix_(rows, columns)].T):
            image = _named(questions[:, moved.ravel()])
            differs = image != least
            at = differs.argmax(1)[:, None]
            less = np.take_along_axis(image, at, 1) < np.take_along_axis(least, at, 1)
            least = np.where(less, image, least)
    return least


def _named(questions: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Symbols by order of appearance: 1 for the first, 0 still for empty cells."""
    every = np.arange(len(questions))
    names = np.zeros((len(questions), 5), np.uint8)
    named = np.zeros_like(questions)
    for cell in range(16):
        symbols = questions[:, cell]
        fresh = (symbols > 0) & (names[every, symbols] == 0)
        names[every[fresh], symbols[fresh]] = names[fresh].max(1) + 1
        named[:, cell] = names[every, symbols]
    return named
