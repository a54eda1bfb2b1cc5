"""Reading ARC tasks, and knowing one again in another dress."""

from typing import Any

import numpy as np
import pytest

from puzzles.arc import DIHEDRAL, Variant
from puzzles.arc_task import ArcTask, InvalidTaskError, between

ONE: dict[str, Any] = {"input": [[1, 0, 2], [0, 0, 3]], "output": [[1, 1], [2, 3], [0, 5]]}
TWO: dict[str, Any] = {"input": [[4, 0, 0], [7, 0, 4]], "output": [[4, 4], [0, 7], [7, 0]]}
THREE: dict[str, Any] = {"input": [[6]], "output": [[8]]}


def changed(pairs: list[dict[str, Any]], variant: Variant) -> list[dict[str, Any]]:
    """The pairs as one of their variants."""
    return [
        {side: variant.apply(np.array(grid, np.uint8)).tolist() for side, grid in pair.items()}
        for pair in pairs
    ]


def test_a_published_task_is_read() -> None:
    task = ArcTask.read({"train": [ONE, TWO], "test": [{"input": [[1, 2, 3, 4]]}, THREE]})
    assert len(task.demonstrations) == 2
    np.testing.assert_array_equal(task.demonstrations[0].answer, ONE["output"])
    np.testing.assert_array_equal(task.questions[1], [[6]])
    assert task.answers[0] is None
    np.testing.assert_array_equal(task.answers[1], [[8]])
    assert task.side == 4


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "task: expected an object with `train`"),
        ({}, "train: expected at least one demonstration"),
        ({"train": []}, "train: expected at least one demonstration"),
        ({"train": [{"input": [[1]]}]}, "train[0]: expected an object with `input` and `output`"),
        ({"train": [ONE, {**TWO, "output": [[1], [2, 3]]}]}, "train[1].output: row 2: 2 cells"),
        ({"train": [{**ONE, "input": [[10]]}]}, "train[0].input: row 1, column 1: 10 is not in"),
        ({"train": [{**ONE, "input": [[True]]}]}, "column 1: expected an integer, got True"),
        ({"train": [{**ONE, "input": "12"}]}, "train[0].input: expected rows of integers"),
        ({"train": [{**ONE, "input": [[0] * 31]}]}, "at most 30×30"),
        ({"train": [ONE, TWO, {**ONE, "output": [[1]]}]}, "train[2]: contradicts train[0]"),
        ({"train": [ONE], "test": [{}]}, "test[0]: expected an object with `input`"),
        ({"train": [ONE], "test": {}}, "test: expected a list"),
    ],
)
def test_a_malformed_task_is_refused_with_its_place(raw: object, message: str) -> None:
    with pytest.raises(InvalidTaskError) as caught:
        ArcTask.read(raw)
    assert message in str(caught.value)


def test_the_same_demonstration_twice_is_no_contradiction() -> None:
    assert len(ArcTask.read({"train": [ONE, ONE]}).demonstrations) == 2


@pytest.mark.parametrize("transform", range(DIHEDRAL))
def test_a_task_is_known_again_turned_recoloured_and_reordered(transform: int) -> None:
    rng = np.random.default_rng(transform)
    dress = Variant(transform, (0, *(1 + rng.permutation(9)).tolist()))
    known = ArcTask.read({"train": [ONE, TWO, THREE]})
    asked = ArcTask.read({"train": changed([THREE, ONE, TWO], dress)})
    way = between(known.canonical, asked.canonical)
    assert way is not None
    there = {(p.question.tobytes(), p.answer.tobytes()) for p in known.demonstrations}
    found = {
        (way.apply(p.question).tobytes(), way.apply(p.answer).tobytes())
        for p in asked.demonstrations
    }
    assert found == there


def test_pairs_that_look_alike_but_for_colours_are_told_apart_in_any_order() -> None:
    # Without colours all three are one cell that becomes another: only together do they differ.
    cycle = [{"input": [[a]], "output": [[b]]} for a, b in ((1, 2), (2, 3), (3, 1))]
    chain = [{"input": [[a]], "output": [[b]]} for a, b in ((1, 2), (2, 3), (4, 5))]
    first, again, other = (
        ArcTask.read({"train": pairs}).canonical for pairs in (cycle, cycle[::-1], chain)
    )
    assert between(first, again) is not None
    assert between(first, other) is None


def test_many_pairs_that_look_alike_are_known_again_in_the_same_order() -> None:
    # Of 14 pairs there are 87 billion orders: none but their own is tried.
    pairs = [{"input": [[a, a % 9 + 1]], "output": [[b]]} for b, a in enumerate(range(1, 8))]
    pairs += [{"input": [[a, (a + 1) % 9 + 1]], "output": [[9]]} for a in range(1, 8)]
    dressed = changed(pairs, Variant(3, (0, 2, 3, 4, 5, 6, 7, 8, 9, 1)))
    first, again = (ArcTask.read({"train": shown}).canonical for shown in (pairs, dressed))
    assert between(first, again) is not None


def test_black_is_no_colour_like_the_others() -> None:
    black = ArcTask.read({"train": [{"input": [[0]], "output": [[1]]}]})
    blue = ArcTask.read({"train": [{"input": [[1]], "output": [[0]]}]})
    assert between(black.canonical, blue.canonical) is None
