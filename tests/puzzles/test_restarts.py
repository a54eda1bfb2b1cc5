"""Later attempts: reproducible, different from the first, and honest about the question."""

import numpy as np
import pytest

from puzzles.registry import by_name
from puzzles.restarts import Restart, start_noise, view_of_attempt, with_guesses
from tests.puzzles.examples import sudoku_example

NINE = by_name("sudoku-9x9")
GUESSES = Restart(by="guesses", guesses=(2, 5), noise_scale=0.5)


def test_guesses_are_the_first_answers_own_symbols_in_empty_cells() -> None:
    example = sudoku_example(NINE)
    for attempt in range(2, 30):
        view = view_of_attempt(NINE, example.question, example.answer, GUESSES, attempt)
        added = view.question != example.question
        assert 2 <= added.sum() <= 5
        assert not example.question[added].any()
        assert np.array_equal(view.question[added], example.answer[added])


def test_attempts_differ_and_the_same_attempt_is_the_same_again() -> None:
    example = sudoku_example(NINE)
    asked = [
        view_of_attempt(NINE, example.question, example.answer, GUESSES, attempt).question
        for attempt in (2, 3, 2)
    ]
    assert not np.array_equal(asked[0], asked[1])
    assert np.array_equal(asked[0], asked[2])


def test_a_guess_that_clashes_is_passed_over() -> None:
    example = sudoku_example(NINE)
    nonsense = np.ones_like(example.answer)  # 1 everywhere
    for seed in range(10):
        rng = np.random.default_rng(seed)
        NINE.check(with_guesses(NINE, example.question, nonsense, 81, rng))


@pytest.mark.parametrize("by", ["noise", "guesses"])
def test_the_first_attempt_sees_the_bare_question_without_noise(by: str) -> None:
    restart = GUESSES.model_copy(update={"by": by})
    example = sudoku_example(NINE)
    view = view_of_attempt(NINE, example.question, None, restart, attempt=1)
    assert np.array_equal(view.question, example.question)
    assert not start_noise(restart, 1, 100).any()
    assert start_noise(restart, 2, 100).any()


def test_an_answer_to_a_guessed_question_needs_no_undoing() -> None:
    example = sudoku_example(NINE)
    view = view_of_attempt(NINE, example.question, example.answer, GUESSES, 2)
    assert np.array_equal(view.undo(example.answer), example.answer)
