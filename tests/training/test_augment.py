"""On-device augmentation: equivalent puzzles, of every size."""

import numpy as np
import pytest
import torch

from puzzles.kind import PuzzleKind, PuzzleSpec, Verdict
from puzzles.sudoku import SUDOKUS
from tests.puzzles.examples import sudoku_example
from training.augment import SudokuAugment
from training.pool import Drawn
from training.recipe import RecipeError

COUNT = 40


def _augmented(kind: PuzzleKind, seed: int = 0) -> tuple[Drawn, Drawn]:
    """The same example COUNT times, and each changed by its own symmetry."""
    example = sudoku_example(kind)
    tokens = torch.from_numpy(kind.encode(example.question)).long().expand(COUNT, -1)
    labels = torch.from_numpy(kind.encode(example.answer)).long().expand(COUNT, -1)
    drawn = Drawn(tokens, labels)
    return drawn, SudokuAugment(kind.spec)(drawn, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", SUDOKUS, ids=lambda kind: kind.spec.name)
def test_every_row_becomes_another_puzzle_with_its_solution(kind: PuzzleKind) -> None:
    before, after = _augmented(kind)
    assert len(after.tokens.unique(dim=0)) > COUNT // 2
    for tokens, labels in zip(after.tokens.numpy(), after.labels.numpy(), strict=True):
        question, answer = kind.decode(tokens), kind.decode(labels)
        kind.check(question)
        assert kind.verify(question, answer) is Verdict.solved
    givens = (before.tokens > 1).sum(-1)
    assert torch.equal((after.tokens > 1).sum(-1), givens)


@pytest.mark.parametrize("kind", SUDOKUS, ids=lambda kind: kind.spec.name)
def test_augmentation_is_a_bijection_of_cells_and_symbols(kind: PuzzleKind) -> None:
    spec = kind.spec
    # Tokens that name their cell show where each went; they stay below the vocabulary by parts.
    places = []
    for part in range(0, spec.seq_len, spec.symbols):
        marks = torch.ones(COUNT, spec.seq_len, dtype=torch.int64)
        marks[:, part : part + spec.symbols] = torch.arange(spec.symbols) + 2
        moved = SudokuAugment(spec)(Drawn(marks, marks), torch.Generator().manual_seed(0)).tokens
        counts = torch.stack([(moved == token).sum(-1) for token in range(1, spec.vocab_size)])
        assert counts[0].eq(spec.seq_len - spec.symbols).all()
        assert counts[1:].eq(1).all()  # each symbol is one symbol again
        places.append(moved > 1)
    assert torch.stack(places).sum(0).eq(1).all()  # each cell came from one cell


def test_square_boxes_are_transposed_in_about_half_of_the_rows() -> None:
    kind = SUDOKUS[2]
    marks = torch.ones(400, 81, dtype=torch.int64)
    marks[:, :9] = torch.arange(9) + 2  # the first row
    moved = SudokuAugment(kind.spec)(Drawn(marks, marks), torch.Generator().manual_seed(0)).tokens
    columns = (moved.view(400, 9, 9) > 1).any(2).all(1)  # the row became a column
    assert 150 < int(columns.sum()) < 250


def test_padding_and_empty_cells_keep_their_tokens() -> None:
    spec = SUDOKUS[0].spec
    tokens = torch.zeros(8, 16, dtype=torch.int64)
    tokens[:, 0] = 1
    moved = SudokuAugment(spec)(Drawn(tokens, tokens), torch.Generator().manual_seed(0)).tokens
    assert np.array_equal(moved.sort(-1).values.numpy(), tokens.sort(-1).values.numpy())


def test_a_puzzle_without_boxes_is_refused() -> None:
    spec = PuzzleSpec(kind="maze", name="maze-3x3", height=3, width=3, seq_len=9, vocab_size=6)
    with pytest.raises(RecipeError, match="maze-3x3 has no boxes"):
        SudokuAugment(spec)
