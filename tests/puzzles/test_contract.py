"""What every puzzle of the registry keeps, whatever its kind and size."""

from itertools import islice

import numpy as np
import pytest

from puzzles.arc import OUTSIDE
from puzzles.errors import InvalidGridError
from puzzles.kind import Example, PuzzleKind, PuzzleSpec, Verdict
from puzzles.registry import by_name, select
from tests.puzzles.examples import PUZZLES, example_of

pytestmark = pytest.mark.parametrize("puzzle", PUZZLES, ids=lambda puzzle: puzzle.spec.name)

SEEDS = range(5)


RULES = {puzzle.spec.name for puzzle in PUZZLES if puzzle.spec.kind != "arc"}


@pytest.fixture
def has_rules(puzzle: PuzzleKind) -> None:
    """For what only rules can tell."""
    if puzzle.spec.name not in RULES:
        example = example_of(puzzle)
        assert puzzle.verify(example.question, example.answer) is Verdict.unknown
        pytest.skip("no rule checks this kind")


@pytest.fixture
def example(puzzle: PuzzleKind) -> Example:
    return example_of(puzzle)


def rejection(puzzle: PuzzleKind, question: np.ndarray) -> InvalidGridError:
    with pytest.raises(InvalidGridError) as caught:
        puzzle.check(question)
    return caught.value


def test_parse_reads_what_format_wrote(puzzle: PuzzleKind, example: Example) -> None:
    for grid in (example.question, example.answer):
        line = puzzle.format(grid)
        assert "\n" not in line
        np.testing.assert_array_equal(puzzle.parse(line), grid)


def test_parse_reads_rows_of_integers(puzzle: PuzzleKind, example: Example) -> None:
    parsed = puzzle.parse(puzzle.rows(example.question))
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, example.question)


def test_decode_undoes_encode(puzzle: PuzzleKind, example: Example) -> None:
    for grid in (example.question, example.answer):
        tokens = puzzle.encode(grid)
        assert tokens.shape == (puzzle.spec.seq_len,)
        assert tokens.dtype == np.int32
        assert 0 <= tokens.min() <= tokens.max() < puzzle.spec.vocab_size
        np.testing.assert_array_equal(puzzle.decode(tokens), grid)


def test_encode_flat_encodes_each_row(puzzle: PuzzleKind, example: Example) -> None:
    grids = (example.question, example.answer)
    tokens = puzzle.encode_flat(np.stack([grid.ravel() for grid in grids]))
    np.testing.assert_array_equal(tokens, [puzzle.encode(grid) for grid in grids])


def test_decode_empties_what_is_no_symbol(puzzle: PuzzleKind) -> None:
    spec = puzzle.spec
    for token in (spec.pad_token, spec.vocab_size, -1):
        decoded = puzzle.decode(np.full(spec.seq_len, token, np.int32))
        assert (decoded == (OUTSIDE if spec.kind == "arc" else 0)).all()


def test_check_accepts_a_question_and_its_answer(puzzle: PuzzleKind, example: Example) -> None:
    puzzle.check(example.question)
    puzzle.check(example.answer)


def test_check_rejects_another_shape(puzzle: PuzzleKind, example: Example) -> None:
    assert str(example.question[:-1].shape) in str(rejection(puzzle, example.question[:-1]))


def test_check_names_row_and_column_of_every_value_out_of_range(
    puzzle: PuzzleKind, example: Example
) -> None:
    question = example.question.copy()
    question[0, 1] = question[2, 3] = 200
    places = [(problem.row, problem.column) for problem in rejection(puzzle, question).problems]
    assert places == [(1, 2), (3, 4)]


@pytest.mark.usefixtures("has_rules")
def test_only_a_full_grid_is_complete(puzzle: PuzzleKind, example: Example) -> None:
    assert not puzzle.is_complete(example.question)
    assert puzzle.is_complete(example.answer)


def test_verify_accepts_the_answer(puzzle: PuzzleKind, example: Example) -> None:
    assert puzzle.verify(example.question, example.answer) is not Verdict.wrong


@pytest.mark.usefixtures("has_rules")
def test_verify_rejects_a_changed_given(puzzle: PuzzleKind, example: Example) -> None:
    # Another right answer of another question: only the given tells.
    for seed in SEEDS:
        changed, _ = puzzle.augment(example, np.random.default_rng(seed))
        if changed.answer[0, 0] != example.answer[0, 0]:
            assert puzzle.verify(example.question, changed.answer) is Verdict.wrong
            return
    pytest.fail("no seed changes the first cell")


@pytest.mark.usefixtures("has_rules")
def test_verify_rejects_an_empty_cell(puzzle: PuzzleKind, example: Example) -> None:
    answer = example.answer.copy()
    answer[0, 1] = 0
    assert puzzle.verify(example.question, answer) is Verdict.wrong


def test_verify_rejects_another_shape(puzzle: PuzzleKind, example: Example) -> None:
    assert puzzle.verify(example.question, example.answer[:, :-1]) is Verdict.wrong


@pytest.mark.parametrize("seed", SEEDS)
def test_augmenting_leaves_the_verdict_alone(
    puzzle: PuzzleKind, example: Example, seed: int
) -> None:
    changed, _ = puzzle.augment(example, np.random.default_rng(seed))
    wrong = example.answer.copy()
    wrong[0, 1] = wrong[0, 0]
    changed_wrong, _ = puzzle.augment(Example(example.question, wrong), np.random.default_rng(seed))
    puzzle.check(changed.question)
    for question, answer, original in (
        (changed.question, changed.answer, example.answer),
        (changed.question, changed_wrong.answer, wrong),
    ):
        expected = puzzle.verify(example.question, original)
        assert puzzle.verify(question, answer) is expected


@pytest.mark.parametrize("seed", SEEDS)
def test_undo_takes_an_augmented_example_back(
    puzzle: PuzzleKind, example: Example, seed: int
) -> None:
    changed, undo = puzzle.augment(example, np.random.default_rng(seed))
    assert not np.array_equal(changed.answer, example.answer)
    np.testing.assert_array_equal(undo(changed.question), example.question)
    np.testing.assert_array_equal(undo(changed.answer), example.answer)


def test_the_same_seed_augments_the_same_way(puzzle: PuzzleKind, example: Example) -> None:
    first, second = (puzzle.augment(example, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first.answer, second.answer)


def test_views_start_with_the_question_and_undo_to_it(puzzle: PuzzleKind, example: Example) -> None:
    views = list(islice(puzzle.views(example.question, np.random.default_rng(0)), 4))
    np.testing.assert_array_equal(views[0].question, example.question)
    for view in views:
        puzzle.check(view.question)
        np.testing.assert_array_equal(view.undo(view.question), example.question)
    assert len({view.question.tobytes() for view in views}) == len(views)


def test_every_unit_family_is_a_partition_of_the_cells(puzzle: PuzzleKind) -> None:
    for family in puzzle.spec.units:
        cells = sorted(cell for unit in family.units for cell in unit)
        assert cells == list(range(puzzle.spec.seq_len)), family.name
        assert {len(unit) for unit in family.units} == {puzzle.spec.symbols}, family.name


def test_the_spec_survives_json(puzzle: PuzzleKind) -> None:
    assert PuzzleSpec.model_validate_json(puzzle.spec.model_dump_json()) == puzzle.spec


def test_the_registry_finds_it_by_name_and_by_either_input_form(
    puzzle: PuzzleKind, example: Example
) -> None:
    assert by_name(puzzle.spec.name) is puzzle
    assert select(puzzle.spec.kind, puzzle.format(example.question)) is puzzle
    assert select(puzzle.spec.kind, puzzle.rows(example.question)) is puzzle
