"""Guesses where the network is of two minds, the likeliest first, and never against the rules."""

import numpy as np
import numpy.typing as npt

from puzzles.kind import Grid
from puzzles.registry import by_name
from puzzles.search import Ended, Guess, Search
from tests.puzzles.examples import sudoku_example

FOUR = by_name("sudoku-4x4")
EXAMPLE = sudoku_example(FOUR)
EMPTY = np.flatnonzero(EXAMPLE.question == 0).tolist()
OPEN, REFUTED = -2.0, -5.0
NOTHING: Grid = np.zeros((4, 4), np.uint8)


def sure_but_for(doubts: dict[int, dict[int, float]]) -> npt.NDArray[np.float32]:
    """Logits of the answer, but for some cells the logarithms of their symbols' likelihoods."""
    logits = np.full((16, 4), -9.0, np.float32)
    logits[np.arange(16), EXAMPLE.answer.ravel() - 1] = 9
    for cell, likelihoods in doubts.items():
        logits[cell] = -9
        for symbol, likelihood in likelihoods.items():
            logits[cell, symbol - 1] = np.log(likelihood)
    return logits


def search(question: Grid = NOTHING) -> Search:
    return Search(FOUR, question, refuted_q=-4.0)


def test_the_first_node_is_the_bare_question() -> None:
    assert np.array_equal(search(EXAMPLE.question).question, EXAMPLE.question)


def test_the_cell_in_most_doubt_is_guessed_and_its_likelier_symbol_first() -> None:
    at = search()
    at.go_on(Ended(sure_but_for({3: {1: 0.9, 2: 0.1}, 7: {3: 0.4, 4: 0.6}}), OPEN))
    assert at.guesses == (Guess(7, 4),)
    assert at.question.ravel()[7] == 4
    at.go_on(Ended(sure_but_for({}), REFUTED))
    assert at.guesses == (Guess(7, 3),)


def test_a_node_that_stays_open_is_guessed_further_before_what_is_less_likely() -> None:
    at = search()
    at.go_on(Ended(sure_but_for({0: {1: 0.9, 2: 0.1}}), OPEN))
    at.go_on(Ended(sure_but_for({10: {3: 0.5, 4: 0.5}}), OPEN))
    seen = []
    for _ in range(3):
        seen.append(at.guesses)
        at.go_on(Ended(sure_but_for({}), REFUTED))
    first, second = Guess(0, 1), Guess(10, 3)
    assert seen == [(first, second), (first, Guess(10, 4)), (Guess(0, 2),)]


def test_a_refuted_node_is_not_guessed_further() -> None:
    at = search()
    at.go_on(Ended(sure_but_for({0: {1: 0.5, 2: 0.5}}), OPEN))
    at.go_on(Ended(sure_but_for({5: {3: 0.5, 4: 0.5}}), REFUTED))
    assert at.guesses == (Guess(0, 2),)


def test_the_bare_question_is_never_refuted() -> None:
    at = search()
    at.go_on(Ended(sure_but_for({0: {1: 0.5, 2: 0.5}}), REFUTED))
    assert at.guesses == (Guess(0, 1),)


def test_when_nothing_is_left_the_bare_question_is_asked_again() -> None:
    at = search()
    at.go_on(Ended(sure_but_for({0: {1: 0.5, 2: 0.5}}), OPEN))
    for _ in range(2):
        at.go_on(Ended(sure_but_for({}), REFUTED))
    assert at.guesses == ()
    assert np.array_equal(at.question, NOTHING)


def test_no_guess_clashes_with_a_given_or_another_guess() -> None:
    at = search(EXAMPLE.question)
    rng = np.random.default_rng(0)
    for _ in range(200):
        at.go_on(Ended(rng.standard_normal((16, 4)).astype(np.float32), OPEN))
        FOUR.check(at.question)
        assert all(guess.cell in EMPTY for guess in at.guesses)


def test_logits_that_are_no_numbers_do_no_harm() -> None:
    at = search(EXAMPLE.question)
    at.go_on(Ended(np.full((16, 4), np.nan, np.float32), np.nan))
    FOUR.check(at.question)


def test_a_network_without_doubt_is_taken_at_its_word() -> None:
    at = search(EXAMPLE.question)
    at.go_on(Ended(sure_but_for({}), OPEN))
    (guess,) = at.guesses
    assert EXAMPLE.answer.ravel()[guess.cell] == guess.symbol
