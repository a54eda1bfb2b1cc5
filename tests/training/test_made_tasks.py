"""Made tasks: all families show a rule, and some rules are checked by what they promise."""

from itertools import islice

import numpy as np
import pytest

from puzzles.arc import COLOURS
from puzzles.kind import Grid
from training.made import cuts, objects, shapes, sizes, wholes
from training.made.grids import Drawn, Family, enclosed, flooded, things
from training.made.tasks import FAMILIES, made_tasks
from training.task_set import MADE_SOURCE

PAIRS = 4


def drawn(family: Family, rules: int = 12) -> list[Drawn]:
    """Pairs of several rules of a family."""
    found = []
    for seed in range(rules):
        rng = np.random.default_rng(seed)
        draw = family(rng)
        pairs = (draw(rng) for _ in range(20))
        found += list(islice((pair for pair in pairs if pair is not None), 3))
    assert len(found) > rules
    return found


def test_every_family_shows_rules_by_pairs_that_differ() -> None:
    made = list(made_tasks(2 * len(FAMILIES), PAIRS, 5, 10))
    assert len({task.name for task in made}) == len(made) == 2 * len(FAMILIES)
    for named in made:
        pairs = named.task.demonstrations
        assert named.source == MADE_SOURCE
        assert len({(pair.question.shape, pair.question.tobytes()) for pair in pairs}) == PAIRS
        assert named.task.side <= 10
        for grid in (grid for pair in pairs for grid in (pair.question, pair.answer)):
            assert grid.dtype == np.uint8
            assert grid.ndim == 2
            assert grid.size
            assert grid.max() < COLOURS
        assert any(not np.array_equal(pair.question, pair.answer) for pair in pairs)


def test_a_seed_decides_what_is_made() -> None:
    first, again, other = (list(made_tasks(8, PAIRS, seed, 10)) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        assert one.name == two.name
        for a, b in zip(one.task.demonstrations, two.task.demonstrations, strict=True):
            np.testing.assert_array_equal(a.question, b.question)
            np.testing.assert_array_equal(a.answer, b.answer)
    canonical = {task.task.canonical.key for task in first}
    assert canonical.isdisjoint(task.task.canonical.key for task in other)


def test_small_grids_may_be_asked_for() -> None:
    made = list(made_tasks(3 * len(FAMILIES), 2, 0, 6))
    assert len(made) > len(FAMILIES)
    assert all(task.task.side <= 6 for task in made)


def test_things_hang_together_by_sides_and_corners() -> None:
    grid = np.array([[1, 0, 0, 2], [0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 1, 1]], np.uint8)
    found = things(grid)
    assert [(thing.colour, thing.size) for thing in found] == [(1, 2), (2, 2), (3, 1), (1, 2)]
    assert found[1].box == (slice(0, 2), slice(3, 4))


def test_what_is_enclosed_has_no_way_out() -> None:
    ring = np.array([[0, 1, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0]], np.uint8)
    assert np.argwhere(enclosed(ring)).tolist() == [[1, 2]]
    ring[0, 2] = 0
    assert not enclosed(ring).any()
    assert flooded(ring == 1, 0, 1).sum() == 7


def test_what_is_filled_was_enclosed() -> None:
    for question, answer in drawn(shapes.filled_rings):
        np.testing.assert_array_equal(question != answer, enclosed(question))


def test_what_slides_is_all_there_afterwards() -> None:
    for question, answer in drawn(shapes.moved_things):
        before, after = (np.bincount(g.ravel(), minlength=COLOURS) for g in (question, answer))
        assert (after[1:] >= before[1:]).all()  # a copy is left, or none


def test_what_was_covered_completes_the_symmetry() -> None:
    for question, answer in drawn(cuts.uncovered):
        covers = [
            c
            for c in np.unique(question)
            if c not in answer and (question == c).sum() == answer.size
        ]
        repaired = [
            symmetric(with_patch(question, int(cover), answer))
            for cover in covers
            if box_is_full(question, int(cover))
        ]
        assert any(repaired)


def symmetric(grid: Grid) -> bool:
    return bool((grid == grid[::-1]).all() and (grid == grid[:, ::-1]).all())


def box_is_full(grid: Grid, colour: int) -> bool:
    at = np.argwhere(grid == colour)
    extent = np.ptp(at, axis=0) + 1
    return bool(extent.prod() == len(at))


def with_patch(grid: Grid, colour: int, patch: Grid) -> Grid:
    patched = grid.copy()
    row, column = np.argwhere(grid == colour).min(0)
    part = patched[row : row + patch.shape[0], column : column + patch.shape[1]]
    if part.shape == patch.shape:
        part[:] = patch
    return patched


def test_cells_that_fell_lie_on_each_other() -> None:
    for question, answer in drawn(wholes.fallen):
        assert (np.bincount(question.ravel()) == np.bincount(answer.ravel())).all()
        assert any(settled(np.rot90(answer, turn)) for turn in range(4))


def settled(grid: Grid) -> bool:
    """Below a coloured cell there is no black one."""
    return bool((np.diff((grid > 0).astype(int), axis=0) >= 0).all())


def test_an_enlarged_grid_is_one_block_for_each_cell() -> None:
    for question, answer in drawn(sizes.enlarged):
        small, large = sorted((question, answer), key=lambda grid: grid.size)
        by = large.shape[0] // small.shape[0]
        np.testing.assert_array_equal(np.kron(small, np.ones((by, by), np.uint8)), large)


@pytest.mark.parametrize("family", [objects.chosen_things, objects.two_kinds])
def test_of_things_some_are_chosen(family: Family) -> None:
    found = drawn(family, rules=40)
    changed = [not np.array_equal(question, answer) for question, answer in found]
    assert np.mean(changed) > 0.9  # what fills its box already cannot be filled
    for question, answer in found:
        if question.shape != answer.shape:  # cut out: it was there, as it is
            shapes_there = [
                np.where(thing.mask, question, 0)[thing.box].tolist() for thing in things(question)
            ]
            assert answer.tolist() in shapes_there
