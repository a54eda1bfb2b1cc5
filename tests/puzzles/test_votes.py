"""Who wins a vote."""

import numpy as np
import pytest

from puzzles.votes import Vote, ranked


def grid(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)


def test_more_votes_win_then_the_surer_ones() -> None:
    one, two, three = grid([1]), grid([2]), grid([1, 1])
    votes = [Vote(one, 0.9), Vote(two, 0.8), Vote(three, 0.1), Vote(three, 0.2), Vote(two, 0.5)]
    found = ranked(votes)
    assert [candidate.answer.tolist() for candidate in found] == [[[2]], [[1, 1]], [[1]]]
    assert [candidate.votes for candidate in found] == [2, 2, 1]
    assert found[0].share == pytest.approx(0.4)
    assert found[0].halt_probability == pytest.approx(0.65)


def test_shapes_tell_answers_apart() -> None:
    assert len(ranked([Vote(grid([1, 1]), 0.0), Vote(grid([1], [1]), 0.0)])) == 2


def test_an_empty_answer_is_none_but_counts_in_shares() -> None:
    [only] = ranked([Vote(np.zeros((0, 0), np.uint8), 0.9), Vote(grid([4]), 0.1)])
    assert only.share == 0.5
    assert ranked([]) == []
