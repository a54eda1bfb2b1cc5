"""Training puzzles resemble no test puzzle, by any symmetry, nor does one split another."""

from dataclasses import replace

import numpy as np
import pytest

from puzzles.kind import Example
from puzzles.sudoku import Sudoku
from training.data_splits import Apart, cut, keep_apart
from training.dataset import DatasetError, PuzzleArrays, Split
from training.equivalence import grid_classes
from training.sudoku_generator import generate_chunk

FOUR, NINE = Sudoku(2, 2), Sudoku(3, 3)
NAMES = ("one", "other")


def _image(puzzles: PuzzleArrays, sudoku: Sudoku = NINE) -> PuzzleArrays:
    """Each puzzle under some symmetry that is not a mere renaming."""
    rng, shape = np.random.default_rng(1), (sudoku.size, sudoku.size)
    images = [
        sudoku.augment(Example(question.reshape(shape), answer.reshape(shape)), rng)[0]
        for question, answer in zip(puzzles.questions, puzzles.answers, strict=True)
    ]
    return PuzzleArrays(
        np.stack([image.question.ravel() for image in images]),
        np.stack([image.answer.ravel() for image in images]),
        puzzles.ratings,
    )


def _with_another_given(puzzles: PuzzleArrays) -> PuzzleArrays:
    """Other puzzles with the same solutions."""
    questions = puzzles.questions.copy()
    for question, answer in zip(questions, puzzles.answers, strict=True):
        empty = np.flatnonzero(question == 0)[0]
        question[empty] = answer[empty]
    return replace(puzzles, questions=questions)


def _split(*parts: PuzzleArrays) -> Split:
    """Parts from sources in turn."""
    sources = [np.full(len(part), index, np.uint8) for index, part in enumerate(parts)]
    return Split(PuzzleArrays.concatenate(parts), np.concatenate(sources))


@pytest.fixture(scope="module")
def made() -> PuzzleArrays:
    return generate_chunk(NINE, seed=20, chunk_index=0, count=12)


def test_an_image_of_a_test_puzzle_is_refused_and_counted_by_source(made: PuzzleArrays) -> None:
    training = _split(made[:3], PuzzleArrays.concatenate([made[3:6], _image(made[8:10])]))
    apart = keep_apart(training, _split(made[8:12]), NAMES, NINE)
    assert apart.keep.tolist() == [0, 1, 2, 3, 4, 5]
    assert apart.outcome[0] == (
        "refused 2 training puzzles that are equivalent to a test puzzle (other: 2)"
    )


def test_another_puzzle_with_a_test_puzzles_solution_is_refused(made: PuzzleArrays) -> None:
    training = _split(made[:3], _image(_with_another_given(made[8:11])))
    apart = keep_apart(training, _split(made[8:12]), NAMES, NINE)
    assert apart.keep.tolist() == [0, 1, 2]
    assert apart.outcome[:2] == (
        "refused 0 training puzzles that are equivalent to a test puzzle",
        "refused 3 training puzzles that have a solved grid equivalent to a test puzzle's"
        " (other: 3)",
    )


def test_sizes_with_hardly_any_solved_grids_compare_questions_alone() -> None:
    """The two classes of 4×4 grids stand in every test set."""
    made = generate_chunk(FOUR, seed=21, chunk_index=0, count=40)
    apart = keep_apart(_split(made[:39]), _split(made[39:]), ("one",), FOUR)
    assert len(apart.keep) > 10
    assert len(apart.outcome) == 2


def test_of_images_of_one_puzzle_the_first_is_kept(made: PuzzleArrays) -> None:
    training = _split(made[:3], _image(made[1:4]))
    apart = keep_apart(training, _split(made[8:9]), NAMES, NINE)
    assert apart.keep.tolist() == [0, 1, 2, 5]
    assert apart.outcome[2] == (
        "dropped 2 training puzzles that are equivalent to another (other: 2)"
    )


def test_puzzles_that_share_a_grid_are_in_one_split_alone(made: PuzzleArrays) -> None:
    training = _split(made, _with_another_given(made))
    apart = keep_apart(training, _split(made[:0]), NAMES, NINE)
    parts = cut(apart, validation=5, test=4, rng=np.random.default_rng(0))
    assert (len(parts.validation), len(parts.test)) == (5, 4)
    assert len(parts.train) + 9 + parts.left_out == 24
    classes = grid_classes(training.puzzles, NINE)
    train, validation, test = (
        set(classes[index].tolist()) for index in (parts.train, parts.validation, parts.test)
    )
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_holding_out_every_grid_is_refused() -> None:
    one_grid = Apart(keep=np.arange(6), grids=np.zeros(6, np.int64), outcome=())
    with pytest.raises(DatasetError, match="1 puzzles to hold out of 6 leave none for training"):
        cut(one_grid, validation=1, test=0, rng=np.random.default_rng(0))
