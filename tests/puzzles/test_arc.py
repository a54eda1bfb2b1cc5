"""ARC grids and tokens, against the reference's."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from puzzles.arc import (
    ARCS,
    DIHEDRAL,
    INVERSE_DIHEDRAL,
    OUTSIDE,
    Variant,
    cropped,
    dihedral,
    variant,
)
from puzzles.errors import InvalidGridError, UnsupportedShapeError
from puzzles.registry import select

FILE = Path(__file__).parents[1] / "data" / "arc_grids.npz"
TEN, FIFTEEN, TWENTY, THIRTY = ARCS
CASES = range(10)


@pytest.fixture(scope="module")
def reference() -> Mapping[str, np.ndarray]:
    with np.load(FILE) as file:
        return dict(file)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("side", ["input", "output"])
def test_tokens_are_the_references(
    reference: Mapping[str, np.ndarray], case: int, side: str
) -> None:
    canvas = THIRTY.on_canvas(reference[f"{case}.{side}"])
    np.testing.assert_array_equal(THIRTY.encode(canvas), reference[f"{case}.{side}_tokens"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("transform", range(DIHEDRAL))
def test_turns_are_the_references(
    reference: Mapping[str, np.ndarray], case: int, transform: int
) -> None:
    grid = reference[f"{case}.input"]
    turned = dihedral(grid, transform)
    np.testing.assert_array_equal(turned, reference[f"{case}.dihedral_{transform}"])
    np.testing.assert_array_equal(dihedral(turned, INVERSE_DIHEDRAL[transform]), grid)


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_prediction_is_cropped_as_the_reference_does(
    reference: Mapping[str, np.ndarray], case: int
) -> None:
    decoded = THIRTY.decode(reference[f"{case}.noisy_tokens"])
    np.testing.assert_array_equal(cropped(decoded), reference[f"{case}.noisy_crop"])


def test_a_grid_anywhere_on_the_canvas_has_its_end_marks_beside_it() -> None:
    canvas = np.full((10, 10), OUTSIDE, np.uint8)
    canvas[2:4, 5:8] = 7
    tokens = TEN.encode(canvas).reshape(10, 10)
    expected = np.zeros((10, 10), int)
    expected[2:4, 5:8] = 9
    expected[4, 5:8] = expected[2:4, 8] = 1
    np.testing.assert_array_equal(tokens, expected)


def test_the_smallest_canvas_that_fits_is_chosen() -> None:
    for size, arc in ((10, TEN), (11, FIFTEEN), (16, TWENTY), (21, THIRTY), (30, THIRTY)):
        assert select("arc", [[0] * size]) is arc
        assert select("arc", [[0]] * size) is arc
        assert select("arc", "/".join("0" * size)) is arc
    with pytest.raises(UnsupportedShapeError):
        select("arc", [[0] * 31])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([[0, 1], [2]], "row 2: 1 cells, the first row has 2"),
        ([[0, 10]], "row 1, column 2: 10 is not in 0..9"),
        ([[0, -1]], "row 1, column 2: -1 is not in 0..9"),
        ([[0] * 31], "grid is 1×31, at most 30×30 are allowed"),
        ([], "the grid has no cells"),
        ([[]], "the grid has no cells"),
        ("01/x1", "row 2, column 1: 'x' is not one of 0123456789"),
        ([[0] * 11], "grid is 1×11, the canvas 10×10"),
    ],
)
def test_a_malformed_grid_is_refused_with_its_place(raw: list[list[int]], message: str) -> None:
    with pytest.raises(InvalidGridError) as caught:
        TEN.parse(raw)
    assert str(caught.value) == message


def test_two_pieces_of_colour_are_no_question() -> None:
    canvas = np.full((10, 10), OUTSIDE, np.uint8)
    canvas[0, 0] = canvas[1, 1] = 3
    with pytest.raises(InvalidGridError, match="no rectangle"):
        TEN.check(canvas)


def test_variants_are_eight_turns_then_recolourings_that_keep_black() -> None:
    plain = tuple(range(10))
    assert [variant(i) for i in range(DIHEDRAL)] == [Variant(i) for i in range(DIHEDRAL)]
    for index in (8, 9, 17):
        assert variant(index).colours != plain
        assert variant(index).colours[0] == 0
        assert sorted(variant(index).colours) == list(plain)
    assert variant(8).colours == variant(15).colours
    assert variant(8).colours != variant(16).colours


def test_the_second_recolouring_is_what_it_always_was() -> None:
    # Rows of every task table in use stand for these.
    assert variant(8).colours == (0, 2, 4, 7, 8, 9, 1, 5, 3, 6)


def test_views_say_which_variant_they_are() -> None:
    question = TEN.parse("012/345")
    for index, view in enumerate(islice(TEN.views(question, np.random.default_rng(0)), 10)):
        assert view.variant == index
        seen = variant(index).apply(cropped(question))
        np.testing.assert_array_equal(cropped(view.question), seen)


def test_an_empty_prediction_stays_empty_under_every_view() -> None:
    empty = TEN.decode(np.zeros(100, np.int32))
    assert TEN.rows(empty) == []
    for view in islice(TEN.views(TEN.parse("01/23"), np.random.default_rng(0)), 8):
        np.testing.assert_array_equal(view.undo(empty), empty)
