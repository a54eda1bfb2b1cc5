"""Guesses where the network is of two minds, the likeliest first, and never against the rules."""

import numpy as np
import numpy.typing as npt

from puzzles.kind import Grid
from puzzles.registry import by_name
from puzzles.search import Ended, Guess, Node, Search
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


def after(at: Search, node: Node, doubts: dict[int, dict[int, float]], q_halt: float) -> Node:
    """The node that is asked when this one has ended, one at a time."""
    at.end(node, Ended(sure_but_for(doubts), q_halt))
    return at.begin()


def test_the_first_node_is_the_bare_question() -> None:
    at = search(EXAMPLE.question)
    assert np.array_equal(at.question(at.begin()), EXAMPLE.question)


def test_the_cell_in_most_doubt_is_guessed_and_its_likelier_symbol_first() -> None:
    at = search()
    node = after(at, at.begin(), {3: {1: 0.9, 2: 0.1}, 7: {3: 0.4, 4: 0.6}}, OPEN)
    assert node.guesses == (Guess(7, 4),)
    assert at.question(node).ravel()[7] == 4
    assert after(at, node, {}, REFUTED).guesses == (Guess(7, 3),)


def test_a_node_that_stays_open_is_guessed_further_before_what_is_less_likely() -> None:
    at = search()
    node = after(at, at.begin(), {0: {1: 0.9, 2: 0.1}}, OPEN)
    node = after(at, node, {10: {3: 0.5, 4: 0.5}}, OPEN)
    seen = []
    for _ in range(3):
        seen.append(node.guesses)
        node = after(at, node, {}, REFUTED)
    first, second = Guess(0, 1), Guess(10, 3)
    assert seen == [(first, second), (first, Guess(10, 4)), (Guess(0, 2),)]


def test_a_refuted_node_is_not_guessed_further() -> None:
    at = search()
    node = after(at, at.begin(), {0: {1: 0.5, 2: 0.5}}, OPEN)
    assert after(at, node, {5: {3: 0.5, 4: 0.5}}, REFUTED).guesses == (Guess(0, 2),)


def test_the_bare_question_is_never_refuted() -> None:
    at = search()
    assert after(at, at.begin(), {0: {1: 0.5, 2: 0.5}}, REFUTED).guesses == (Guess(0, 1),)


def test_when_nothing_is_left_the_bare_question_is_asked_again() -> None:
    at = search()
    node = after(at, at.begin(), {0: {1: 0.5, 2: 0.5}}, OPEN)
    for _ in range(2):
        node = after(at, node, {}, REFUTED)
    assert node == Node()
    assert np.array_equal(at.question(node), NOTHING)
    assert after(at, node, {5: {3: 0.6, 4: 0.4}}, OPEN).guesses == (Guess(5, 3),)


def test_several_nodes_are_asked_at_once_and_each_is_branched_when_it_ends() -> None:
    at = search()
    assert at.waiting == 0
    root = at.begin()
    at.end(root, Ended(sure_but_for({0: {1: 0.6, 2: 0.4}}), OPEN))
    assert at.waiting == 2
    likelier, other = at.begin(), at.begin()
    assert (likelier.guesses, other.guesses) == ((Guess(0, 1),), (Guess(0, 2),))
    at.end(other, Ended(sure_but_for({5: {3: 0.9, 4: 0.1}}), OPEN))
    at.end(likelier, Ended(sure_but_for({7: {3: 0.9, 4: 0.1}}), OPEN))
    nodes = [at.begin().guesses for _ in range(at.waiting)]
    assert nodes[0] == (Guess(0, 1), Guess(7, 3))
    assert {node[0] for node in nodes} == {Guess(0, 1), Guess(0, 2)}
    assert all(len(node) == 2 for node in nodes)


def test_the_bare_question_asked_beside_others_is_not_branched_once_more() -> None:
    at = search()
    at.end(at.begin(), Ended(sure_but_for({0: {1: 0.6, 2: 0.4}}), OPEN))
    first, second, bare = at.begin(), at.begin(), at.begin()
    assert bare == Node()
    at.end(bare, Ended(sure_but_for({7: {3: 0.9, 4: 0.1}}), OPEN))
    at.end(first, Ended(sure_but_for({}), REFUTED))
    assert at.waiting == 0
    assert after(at, second, {5: {3: 0.6, 4: 0.4}}, OPEN).guesses == (Guess(0, 2), Guess(5, 3))


def test_a_search_with_nothing_left_begins_anew_however_many_ask_the_bare_question() -> None:
    at = search()
    asked = [at.begin() for _ in range(3)]
    assert asked == [Node()] * 3
    for node in asked:
        at.end(node, Ended(sure_but_for({0: {1: 0.6, 2: 0.4}}), OPEN))
    assert [at.begin().guesses for _ in range(at.waiting)] == [(Guess(0, 1),), (Guess(0, 2),)]


def test_no_guess_clashes_with_a_given_or_another_guess() -> None:
    at = search(EXAMPLE.question)
    node = at.begin()
    rng = np.random.default_rng(0)
    for _ in range(200):
        at.end(node, Ended(rng.standard_normal((16, 4)).astype(np.float32), OPEN))
        node = at.begin()
        FOUR.check(at.question(node))
        assert all(guess.cell in EMPTY for guess in node.guesses)


def test_logits_that_are_no_numbers_do_no_harm() -> None:
    at = search(EXAMPLE.question)
    at.end(at.begin(), Ended(np.full((16, 4), np.nan, np.float32), np.nan))
    FOUR.check(at.question(at.begin()))


def test_a_network_without_doubt_is_taken_at_its_word() -> None:
    at = search(EXAMPLE.question)
    (guess,) = after(at, at.begin(), {}, OPEN).guesses
    assert EXAMPLE.answer.ravel()[guess.cell] == guess.symbol
