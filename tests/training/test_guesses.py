"""Guessed questions: right ones keep their labels, wrong ones lose them, and none clashes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from puzzles.registry import by_name
from training.guesses import Guessing
from training.losses import IGNORED_LABEL
from training.pool import Drawn
from training.recipe import Guesses
from training.sudoku_generator import generate_chunk

NINE = by_name("sudoku-9x9")
ROWS = 32
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    made = generate_chunk("sudoku-9x9", seed=3, chunk_index=0, count=ROWS, extra_givens=(0, 9))
    tokens, labels = (
        torch.from_numpy(NINE.encode_flat(grids)).long() for grids in (made.questions, made.answers)
    )
    return Drawn(tokens, labels)


def guessed(drawn: Drawn, **guesses: object) -> tuple[Drawn, Tensor]:
    """With guesses; (B, S) bool, where."""
    generator = torch.Generator().manual_seed(0)
    found = Guessing(NINE, Guesses.model_validate(guesses), CPU)(drawn, generator)
    return found, found.tokens != drawn.tokens


def again(drawn: Drawn, logits: Tensor, **guesses: object) -> Drawn:
    generator = torch.Generator().manual_seed(0)
    return Guessing(NINE, Guesses.model_validate(guesses), CPU).again(drawn, logits, generator)


def test_right_guesses_are_the_labels_and_as_many_as_asked_for(drawn: Drawn) -> None:
    found, where = guessed(drawn, share=1.0, count=(2, 5), wrong=0.0)
    assert torch.equal(found.labels, drawn.labels)
    assert torch.equal(found.tokens[where], drawn.labels[where])
    assert set(where.sum(1).tolist()) == {2, 3, 4, 5}


def test_wrong_guesses_clash_with_no_given_and_leave_no_labels(drawn: Drawn) -> None:
    found, where = guessed(drawn, share=1.0, count=(1, 3), wrong=1.0)
    refuted = (found.labels == IGNORED_LABEL).all(1)
    assert refuted.sum() > ROWS * 0.9  # the others had no wrong candidate to guess
    wrong = where & (found.tokens != drawn.labels)
    assert torch.equal(wrong.any(1), refuted)
    for row in range(ROWS):
        cells = NINE.decode(drawn.tokens[row].int().numpy())
        for cell in wrong[row].nonzero().ravel().tolist():
            tried = cells.copy()
            tried.ravel()[cell] = int(found.tokens[row, cell]) - 1
            NINE.check(tried)


def test_only_a_share_of_the_rows_is_guessed(drawn: Drawn) -> None:
    _, where = guessed(drawn, share=0.5, wrong=0.5)
    assert 0 < where.any(1).sum() < ROWS
    _, where = guessed(drawn, share=0.0)
    assert not where.any()


def test_the_next_guess_is_where_the_second_best_symbol_is_the_likeliest(drawn: Drawn) -> None:
    logits = torch.full((ROWS, 81, 9), -20.0)
    logits.scatter_(2, (drawn.labels - 2).unsqueeze(-1), 20.0)
    empty = (drawn.tokens == 1).float().argmax(1)  # each row's first empty cell
    logits[torch.arange(ROWS), empty] = 0.0
    found = again(drawn, logits, again=1.0, right=1.0)
    where = found.tokens != drawn.tokens
    assert where.sum(1).tolist() == [1] * ROWS
    many = NINE.neighbours[empty.numpy()]
    assert many.shape == (ROWS, 81)
    doubtful = where.float().argmax(1) == empty
    assert doubtful.float().mean() > 0.9  # in the others the cell has one candidate left
    assert torch.equal(found.labels, drawn.labels)


def test_a_wrong_next_guess_takes_the_labels_away(drawn: Drawn) -> None:
    logits = torch.zeros(ROWS, 81, 9)
    found = again(drawn, logits, again=1.0, right=0.0)
    where = found.tokens != drawn.tokens
    right = (found.tokens == drawn.labels)[where]
    assert torch.equal(right, found.labels[:, 0] != IGNORED_LABEL)
    assert 0 < int(right.sum()) < ROWS


def test_a_refuted_question_stays_refuted(drawn: Drawn) -> None:
    refuted = Drawn(drawn.tokens, torch.full_like(drawn.labels, IGNORED_LABEL))
    found = again(refuted, torch.zeros(ROWS, 81, 9), again=1.0, right=1.0)
    assert (found.labels == IGNORED_LABEL).all()
    assert np.count_nonzero((found.tokens != drawn.tokens).numpy()) == ROWS
