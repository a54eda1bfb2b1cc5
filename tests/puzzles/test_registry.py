"""Looking kinds up, and what a new kind takes."""

from collections.abc import Iterator
from typing import final

import numpy as np
import pytest

from puzzles.errors import UnknownKindError, UnsupportedShapeError
from puzzles.kind import (
    Example,
    Grid,
    PuzzleKind,
    PuzzleSpec,
    RawGrid,
    Tokens,
    Undo,
    Verdict,
    View,
)
from puzzles.registry import KINDS, by_name, select, variants


@final
class Copy(PuzzleKind):
    """A toy: the answer is the question, two cells of 0 or 1; no rule can check it."""

    @property
    def spec(self) -> PuzzleSpec:
        return PuzzleSpec(kind="copy", name="copy-1x2", height=1, width=2, seq_len=2, vocab_size=3)

    def fits(self, raw: RawGrid) -> bool:
        return len(raw) == (2 if isinstance(raw, str) else 1)

    def parse(self, raw: RawGrid) -> Grid:
        return np.array([[int(cell) for cell in (raw if isinstance(raw, str) else raw[0])]], "u1")

    def format(self, grid: Grid) -> str:
        return "".join(map(str, grid.ravel()))

    def check(self, question: Grid) -> None:
        pass

    def is_complete(self, question: Grid) -> bool:  # noqa: ARG002
        return True

    def encode(self, grid: Grid) -> Tokens:
        return grid.ravel().astype(np.int32) + 1

    def decode(self, tokens: Tokens) -> Grid:
        return (tokens - 1).astype(np.uint8).reshape(1, 2)

    def verify(self, question: Grid, answer: Grid) -> Verdict:  # noqa: ARG002
        return Verdict.unknown

    def augment(self, example: Example, rng: np.random.Generator) -> tuple[Example, Undo]:  # noqa: ARG002
        return example, lambda grid: grid

    def views(self, question: Grid, rng: np.random.Generator) -> Iterator[View]:  # noqa: ARG002
        yield View(question, lambda grid: grid)


def test_a_kind_enters_the_registry_with_one_line_and_leaves_it() -> None:
    copy = Copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, "copy", (copy,))
        assert variants("copy") == (copy,)
        assert by_name("copy-1x2") is copy
        assert select("copy", "01") is copy
        assert select("copy", [[0, 1]]) is copy
    with pytest.raises(UnknownKindError):
        variants("copy")


def test_a_kind_that_does_not_say_how_encodes_many_grids_one_by_one() -> None:
    tokens = Copy().encode_flat(np.array([[0, 1], [1, 1]], np.uint8))
    assert tokens.tolist() == [[1, 2], [2, 2]]
    assert tokens.dtype == np.int32


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownKindError, match=r"'chess'.*sudoku"):
        variants("chess")


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownKindError, match=r"'sudoku-7x7'.*sudoku-4x4.*sudoku-25x25"):
        by_name("sudoku-7x7")


@pytest.mark.parametrize(
    ("raw", "got"),
    [
        pytest.param([[0] * 7] * 7, "7 rows", id="7x7"),
        pytest.param([], "0 rows", id="no rows"),
        pytest.param("1" * 80, "80 characters", id="a line one short"),
        pytest.param("", "0 characters", id="an empty line"),
    ],
)
def test_a_size_that_no_variant_has_is_told_the_sizes(raw: RawGrid, got: str) -> None:
    with pytest.raises(UnsupportedShapeError, match=rf"{got} .*4×4, 6×6, 9×9, 16×16, 25×25"):
        select("sudoku", raw)
