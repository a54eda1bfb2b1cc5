"""What is Sudoku's alone: forms of input, clashes, units and symmetries."""

import numpy as np
import pytest

from puzzles.errors import CellProblem, InvalidGridError
from puzzles.kind import Example, Verdict
from puzzles.sudoku import SUDOKUS, Sudoku
from tests.puzzles.examples import pattern_grid, sudoku_example

FOUR, SIX, NINE, SIXTEEN, _ = SUDOKUS
# A published puzzle (Royle's collection of 17 givens) and its only answer.
LINE = "000000010400000000020000000000050407008000300001090000300400200050100000000806000"
SOLVED = "693784512487512936125963874932651487568247391741398625319475268856129743274836159"


def problems_of(sudoku: Sudoku, raw: str | list[list[int]]) -> tuple[CellProblem, ...]:
    """What `parse` and then `check` find wrong."""
    with pytest.raises(InvalidGridError) as caught:
        sudoku.check(sudoku.parse(raw))
    return caught.value.problems


def places(problems: tuple[CellProblem, ...]) -> list[tuple[int | None, int | None]]:
    return [(problem.row, problem.column) for problem in problems]


def test_dots_and_zeros_both_write_an_empty_cell() -> None:
    grid = NINE.parse(LINE)
    np.testing.assert_array_equal(grid, NINE.parse(LINE.replace("0", ".")))
    assert grid[0].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert NINE.format(grid) == LINE.replace("0", ".")


def test_a_published_puzzle_is_verified() -> None:
    assert NINE.verify(NINE.parse(LINE), NINE.parse(SOLVED)) is Verdict.solved


def test_white_space_around_a_line_is_no_part_of_it() -> None:
    np.testing.assert_array_equal(NINE.parse(f" {LINE}\n"), NINE.parse(LINE))


def test_sixteen_symbols_are_written_1_to_9_and_a_to_g_in_either_case() -> None:
    line = SIXTEEN.format(pattern_grid(4, 4))
    assert line[:16] == "123456789ABCDEFG"
    np.testing.assert_array_equal(SIXTEEN.parse(line.lower()), pattern_grid(4, 4))


def test_every_character_that_is_no_symbol_is_named_with_its_place() -> None:
    problems = problems_of(NINE, "x" + LINE[1:79] + "é" + LINE[80:])
    assert places(problems) == [(1, 1), (9, 8)]
    assert "'x' is not one of .123456789" in str(problems[0])
    assert "'é'" in str(problems[1])


def test_a_line_of_another_length_is_rejected_with_both_lengths() -> None:
    assert str(problems_of(NINE, LINE + "0")[0]) == "82 characters, expected 81"


def test_each_ragged_row_is_named() -> None:
    rows = NINE.parse(LINE).tolist()
    rows[1], rows[4] = rows[1][:8], [*rows[4], 0]
    problems = problems_of(NINE, rows)
    assert places(problems) == [(2, None), (5, None)]
    assert str(problems[0]) == "row 2: 8 cells, expected 9"


def test_a_seven_by_seven_grid_is_rejected() -> None:
    problems = problems_of(NINE, [[0] * 7] * 7)
    assert str(problems[0]) == "7 rows, expected 9"
    assert [problem.row for problem in problems[1:]] == list(range(1, 8))


@pytest.mark.parametrize("value", [12, -1, 256, 10**30])
def test_a_value_out_of_range_is_named_with_its_place(value: int) -> None:
    rows = NINE.parse(LINE).tolist()
    rows[2][5] = value
    problems = problems_of(NINE, rows)
    assert str(problems[0]) == f"row 3, column 6: {value} is not in 0..9"


@pytest.mark.parametrize(
    ("cells", "family"),
    [
        pytest.param([(1, 2), (1, 7)], "row", id="row"),
        pytest.param([(2, 4), (8, 4)], "column", id="column"),
        pytest.param([(4, 7), (6, 9)], "box", id="box"),
    ],
)
def test_a_clash_names_row_and_column_of_both_givens(
    cells: list[tuple[int, int]], family: str
) -> None:
    rows = [[0] * 9 for _ in range(9)]
    for row, column in cells:
        rows[row - 1][column - 1] = 5
    (problem,) = problems_of(NINE, rows)
    (row, column), (second_row, second_column) = cells
    assert str(problem) == (
        f"row {second_row}, column {second_column}: 5 already stands in row {row}, "
        f"column {column} (same {family})"
    )


def test_all_clashes_are_named() -> None:
    rows = [[0] * 4 for _ in range(4)]
    rows[0] = [1, 0, 1, 1]
    rows[3][0] = 1
    # row: 1-3, 3-4; column: 1-4; box: 3-4 again
    assert sorted(places(problems_of(FOUR, rows))) == [(1, 3), (1, 4), (1, 4), (4, 1)]


def test_no_givens_and_all_cells_given_are_both_questions() -> None:
    NINE.check(np.zeros((9, 9), np.uint8))
    NINE.check(NINE.parse(SOLVED))


@pytest.mark.parametrize("sudoku", SUDOKUS, ids=lambda sudoku: sudoku.spec.name)
def test_a_duplicate_is_wrong(sudoku: Sudoku) -> None:
    example = sudoku_example(sudoku)
    answer = example.answer.copy()
    answer[0, 1] = answer[0, 0]
    assert sudoku.verify(example.question, answer) is Verdict.wrong


def test_rows_and_columns_that_hold_every_symbol_need_boxes_that_do_too() -> None:
    row, column = np.indices((9, 9))
    latin_square = ((row + column) % 9 + 1).astype(np.uint8)
    assert NINE.verify(np.zeros_like(latin_square), latin_square) is Verdict.wrong


def test_an_empty_grid_is_solved_by_any_valid_completion() -> None:
    empty = np.zeros((9, 9), np.uint8)
    assert NINE.verify(empty, pattern_grid(3, 3)) is Verdict.solved
    assert NINE.verify(empty, NINE.parse(SOLVED)) is Verdict.solved


def test_tokens_are_the_references() -> None:
    assert FOUR.encode(FOUR.parse("1234............")).tolist() == [2, 3, 4, 5] + [1] * 12
    assert FOUR.spec.vocab_size == 6
    assert FOUR.spec.pad_token == 0


def test_a_box_of_six_by_six_has_two_rows_and_three_columns() -> None:
    assert SIX.spec.units[2].name == "box"
    assert SIX.spec.units[2].units[:2] == ((0, 1, 2, 6, 7, 8), (3, 4, 5, 9, 10, 11))


def test_six_by_six_never_transposes() -> None:
    corner = np.zeros((6, 6), np.uint8)
    corner[0, :3] = 1, 2, 3  # a line of one box: it stays in a row unless transposed
    for seed in range(64):
        changed, _ = SIX.augment(Example(corner, corner), np.random.default_rng(seed))
        assert np.count_nonzero(changed.question.any(axis=1)) == 1


def test_square_boxes_transpose_about_every_other_time() -> None:
    corner = np.zeros((9, 9), np.uint8)
    corner[0, :3] = 1, 2, 3
    transposed = 0
    for seed in range(64):
        changed, _ = NINE.augment(Example(corner, corner), np.random.default_rng(seed))
        transposed += np.count_nonzero(changed.question.any(axis=0)) == 1
    assert 20 <= transposed <= 44
