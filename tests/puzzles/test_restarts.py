"""Later attempts: reproducible, different from the first, and honest about the question."""

from typing import Literal

import numpy as np
import pytest

from puzzles.registry import by_name
from puzzles.restarts import Restart, attempts_of, start_noise
from puzzles.search import Ended
from tests.puzzles.examples import sudoku_example

NINE = by_name("sudoku-9x9")
EXAMPLE = sudoku_example(NINE)
IN_DOUBT = Ended(np.zeros((81, 9), np.float32), q_halt=-1.0)
WAYS: tuple[Literal["noise", "views", "search"], ...] = ("noise", "views", "search")


def asked(by: Literal["noise", "views", "search"], attempts: int) -> list[bytes]:
    """What each attempt asks."""
    at = attempts_of(NINE, EXAMPLE.question, Restart(by=by, noise_scale=0.5))
    questions = []
    for _ in range(attempts):
        attempt = at.begin()
        questions.append(attempt.view.question.tobytes())
        at.end(attempt, IN_DOUBT)
    return questions


@pytest.mark.parametrize("by", WAYS)
def test_the_first_attempt_asks_the_bare_question_without_noise(
    by: Literal["noise", "views", "search"],
) -> None:
    assert asked(by, 1) == [EXAMPLE.question.tobytes()]
    assert not start_noise(Restart(by=by, noise_scale=0.5), 1, 100).any()


@pytest.mark.parametrize("by", ["views", "search"])
def test_attempts_differ_and_the_same_attempt_is_the_same_again(
    by: Literal["views", "search"],
) -> None:
    questions = asked(by, 5)
    assert len(set(questions)) == 5
    assert questions == asked(by, 5)


@pytest.mark.parametrize("by", ["noise", "search"])
def test_later_attempts_start_from_noise(by: Literal["noise", "search"]) -> None:
    restart = Restart(by=by, noise_scale=0.5)
    assert start_noise(restart, 2, 10_000).std() == pytest.approx(0.5, rel=0.1)
    assert not np.array_equal(start_noise(restart, 2, 100), start_noise(restart, 3, 100))


def test_a_search_without_an_answer_asks_the_same_again() -> None:
    at = attempts_of(NINE, EXAMPLE.question, Restart(by="search"))
    for _ in range(2):
        assert np.array_equal(at.begin().view.question, EXAMPLE.question)


@pytest.mark.parametrize("by", WAYS)
def test_only_a_search_must_wait_for_an_attempt_to_end(
    by: Literal["noise", "views", "search"],
) -> None:
    at = attempts_of(NINE, EXAMPLE.question, Restart(by=by))
    first = at.begin()
    assert at.divisible is (by != "search")
    at.end(first, IN_DOUBT)
    assert at.divisible


@pytest.mark.parametrize("by", WAYS)
def test_an_answer_comes_back_as_one_to_the_question(
    by: Literal["noise", "views", "search"],
) -> None:
    at = attempts_of(NINE, EXAMPLE.question, Restart(by=by))
    at.end(at.begin(), IN_DOUBT)
    view = at.begin().view
    undone = view.undo(view.question)
    given = EXAMPLE.question > 0
    assert np.array_equal(undone[given], EXAMPLE.question[given])
