"""Fresh puzzles, judged by plain solvers that share no code with the generator."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from puzzles.kind import Verdict
from puzzles.sudoku import SUDOKUS, Sudoku
from training.dataset import PuzzleArrays
from training.sudoku_generator import (
    GeneratorError,
    PuzzleStream,
    generate_chunk,
    have_one_solution,
)


def _sudoku(size: int) -> Sudoku:
    return next(sudoku for sudoku in SUDOKUS if sudoku.size == size)


def _same(one: PuzzleArrays, other: PuzzleArrays) -> bool:
    return (
        np.array_equal(one.questions, other.questions)
        and np.array_equal(one.answers, other.answers)
        and np.array_equal(one.ratings, other.ratings)
    )


def _all_full_grids_4x4() -> np.ndarray:
    """All 288 full 4×4 grids, (288, 16), by trying every combination of four rows."""
    rows = list(permutations(range(1, 5)))
    sudoku = _sudoku(4)
    empty = np.zeros((4, 4), np.uint8)
    grids = [np.array(four, np.uint8) for four in product(rows, repeat=4) if _columns(four)]
    return np.array([g.ravel() for g in grids if sudoku.verify(empty, g) is Verdict.solved])


def _columns(rows: tuple[tuple[int, ...], ...]) -> bool:
    return all(len(set(column)) == 4 for column in zip(*rows, strict=True))


def _choices(sudoku: Sudoku, cells: list[int]) -> dict[int, set[int]]:
    """Candidates of every empty cell by its rows, columns and boxes alone."""
    size, height, width = sudoku.size, sudoku.box_height, sudoku.box_width
    choices = {}
    for i in (i for i, cell in enumerate(cells) if not cell):
        r, c = divmod(i, size)
        seen = set(cells[r * size : (r + 1) * size]) | set(cells[c::size])
        for line in range(r - r % height, r - r % height + height):
            start = line * size + c - c % width
            seen |= set(cells[start : start + width])
        choices[i] = set(range(1, size + 1)) - seen
    return choices


def _solutions(sudoku: Sudoku, cells: list[int]) -> Iterator[list[int]]:
    choices = _choices(sudoku, cells)
    if not choices:
        yield cells
        return
    i = min(choices, key=lambda cell: len(choices[cell]))
    for symbol in choices[i]:
        yield from _solutions(sudoku, [*cells[:i], symbol, *cells[i + 1 :]])


def _is_unique(sudoku: Sudoku, cells: list[int]) -> bool:
    found = _solutions(sudoku, cells)
    return next(found, None) is not None and next(found, None) is None


def _solved_by_singles(sudoku: Sudoku, cells: list[int]) -> bool:
    """Whether naked and hidden singles alone fill the grid."""
    while True:
        choices = _choices(sudoku, cells)
        if not choices:
            return True
        found = {i: min(left) for i, left in choices.items() if len(left) == 1}
        for family in sudoku.spec.units:
            for unit in family.units:
                for symbol in range(1, sudoku.size + 1):
                    places = [i for i in unit if symbol in choices.get(i, ())]
                    if len(places) == 1:
                        found[places[0]] = symbol
        if not found:
            return False
        for i, symbol in found.items():
            cells = [*cells[:i], symbol, *cells[i + 1 :]]


@pytest.mark.parametrize("sudoku", SUDOKUS, ids=lambda sudoku: sudoku.spec.name)
def test_the_answer_solves_the_question_at_every_size(sudoku: Sudoku) -> None:
    shape = (sudoku.size, sudoku.size)
    made = generate_chunk(sudoku, seed=1, chunk_index=0, count=3)
    for question, answer in zip(made.questions, made.answers, strict=True):
        assert sudoku.verify(question.reshape(shape), answer.reshape(shape)) is Verdict.solved
        assert 0 < np.count_nonzero(question) < len(question)


def test_4x4_puzzles_have_one_solution_among_all_288_grids_and_none_less() -> None:
    grids = _all_full_grids_4x4()
    assert len(grids) == 288
    for question in generate_chunk("sudoku-4x4", seed=2, chunk_index=0, count=200).questions:
        agrees = (question == 0) | (question == grids)
        assert agrees.all(axis=1).sum() == 1
        for given in np.flatnonzero(question):
            without = agrees.copy()
            without[:, given] = True
            assert without.all(axis=1).sum() > 1


@pytest.mark.parametrize(("size", "count"), [(6, 20), (9, 1)])
def test_puzzles_are_unique_and_lose_that_with_any_given(size: int, count: int) -> None:
    sudoku = _sudoku(size)
    for question in generate_chunk(sudoku, seed=3, chunk_index=0, count=count).questions.tolist():
        assert _is_unique(sudoku, question)
        for given in (i for i, cell in enumerate(question) if cell):
            assert not _is_unique(sudoku, [*question[:given], 0, *question[given + 1 :]])


@pytest.mark.parametrize("size", [4, 9])
def test_a_minimal_puzzle_has_one_solution_and_without_a_given_several(size: int) -> None:
    made = generate_chunk(_sudoku(size), seed=13, chunk_index=0, count=5)
    assert have_one_solution(made, _sudoku(size)).all()
    fewer = made.questions.copy()
    fewer[np.arange(5), (fewer > 0).argmax(axis=1)] = 0
    assert not have_one_solution(replace(made, questions=fewer), _sudoku(size)).any()


def test_a_25x25_puzzle_is_solved_by_its_answer_and_has_far_fewer_givens() -> None:
    made = generate_chunk("sudoku-25x25", seed=4, chunk_index=0, count=1)
    sudoku = _sudoku(25)
    question, answer = (grid.reshape(25, 25) for grid in (made.questions[0], made.answers[0]))
    assert sudoku.verify(question, answer) is Verdict.solved
    assert 200 < np.count_nonzero(question) < 320


def test_a_16x16_puzzle_with_extra_givens_is_unique() -> None:
    made = generate_chunk("sudoku-16x16", seed=4, chunk_index=0, count=1, extra_givens=(60, 60))
    assert _is_unique(_sudoku(16), made.questions[0].tolist())


def test_extra_givens_are_put_back_from_the_answer() -> None:
    minimal = generate_chunk("sudoku-9x9", seed=5, chunk_index=0, count=1)
    easier = generate_chunk("sudoku-9x9", seed=5, chunk_index=0, count=1, extra_givens=(7, 7))
    added = (minimal.questions == 0) & (easier.questions != 0)
    assert added.sum() == 7
    assert np.array_equal(minimal.answers, easier.answers)
    assert np.array_equal(easier.questions[added], easier.answers[added])


def test_the_number_of_extra_givens_covers_its_range_with_both_ends() -> None:
    def givens(chunk_index: int, extra_givens: tuple[int, int]) -> int:
        made = generate_chunk(
            "sudoku-4x4", seed=6, chunk_index=chunk_index, count=1, extra_givens=extra_givens
        )
        return int(np.count_nonzero(made.questions))

    assert {givens(k, (1, 4)) - givens(k, (0, 0)) for k in range(60)} == {1, 2, 3, 4}


def test_rating_is_zero_exactly_where_singles_suffice() -> None:
    made = generate_chunk("sudoku-9x9", seed=7, chunk_index=0, count=30)
    by_singles = [_solved_by_singles(_sudoku(9), q) for q in made.questions.tolist()]
    assert (made.ratings == 0).tolist() == by_singles
    assert 0 < sum(by_singles) < 30


def test_a_chunk_depends_on_its_seed_and_number_alone() -> None:
    first = generate_chunk("sudoku-6x6", seed=8, chunk_index=3, count=5)
    generate_chunk("sudoku-6x6", seed=8, chunk_index=2, count=5)
    assert _same(first, generate_chunk("sudoku-6x6", seed=8, chunk_index=3, count=5))
    for seed, chunk_index in ((8, 4), (9, 3)):
        other = generate_chunk("sudoku-6x6", seed=seed, chunk_index=chunk_index, count=5)
        assert not np.array_equal(first.answers, other.answers)


@pytest.mark.parametrize("extra_givens", [(-1, 2), (3, 2), (0, 82)])
def test_a_range_that_is_none_is_refused(extra_givens: tuple[int, int]) -> None:
    with pytest.raises(GeneratorError, match="expected 0 ≤ A ≤ B ≤ 81"):
        generate_chunk("sudoku-9x9", seed=0, chunk_index=0, count=1, extra_givens=extra_givens)


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    with pytest.raises(GeneratorError, match=r"'sudoku-5x5'.*sudoku-4x4.*sudoku-25x25"):
        generate_chunk("sudoku-5x5", seed=0, chunk_index=0, count=1)


def test_a_resumed_stream_goes_on_as_if_never_interrupted() -> None:
    with PuzzleStream("sudoku-4x4", seed=10, chunk_size=8) as stream:
        whole = stream.take(50)
    with PuzzleStream("sudoku-4x4", seed=10, chunk_size=8) as stream:
        parts = [stream.take(count) for count in (3, 5, 0, 11) if count]
        taken = stream.taken
    assert taken == 19
    with PuzzleStream("sudoku-4x4", seed=10, chunk_size=8, taken=taken) as stream:
        parts.append(stream.take(31))
    assert _same(whole, PuzzleArrays.concatenate(parts))


def test_a_closed_stream_leaves_no_thread_behind() -> None:
    with PuzzleStream("sudoku-9x9", seed=11, ahead=50) as stream:
        stream.take(1)
    assert not [t for t in threading.enumerate() if t.name.startswith("puzzle-stream")]


def test_an_error_in_the_background_reaches_the_one_who_takes() -> None:
    with (
        PuzzleStream("sudoku-4x4", seed=12, extra_givens=(5, 1)) as stream,
        pytest.raises(GeneratorError),
    ):
        stream.take(1)
