"""Puzzles by weight from data sets and streams; streams are where their step says."""

from pathlib import Path

import pytest
import torch

from puzzles.registry import by_name
from tests.training.small_runs import data_set, puzzles
from training.dataset import DatasetError
from training.pool import CHUNKS, Drawn, Pool
from training.recipe import Lane
from training.sudoku_generator import generate_chunk

STREAM = {"generate": True, "pool": 2 * CHUNKS, "refresh_every": 10, "extra_givens": [0, 2]}


def _pool(*sources: dict[str, object]) -> Pool:
    lane = Lane.model_validate({"puzzle": "sudoku-4x4", "sources": sources})
    return Pool(by_name("sudoku-4x4"), lane, seed=3, device=torch.device("cpu"))


def _draw(pool: Pool, count: int = 500) -> Drawn:
    return pool.draw(count, torch.Generator().manual_seed(0))


def _lines(tokens: torch.Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in (tokens - 1).to(torch.uint8)}


def _chunks(first: int) -> set[bytes]:
    """The questions of the stream's CHUNKS chunks from `first` on."""
    return {
        question.tobytes()
        for index in range(first, first + CHUNKS)
        for question in generate_chunk(
            "sudoku-4x4", seed=3, chunk_index=index, count=2, extra_givens=(0, 2)
        ).questions
    }


def test_a_data_set_is_drawn_whole_and_with_its_answers(tmp_path: Path) -> None:
    drawn = _draw(_pool({"path": data_set(tmp_path / "data", train=30)}))
    made = puzzles(30)
    assert _lines(drawn.tokens) == {question.tobytes() for question in made.questions}
    answers = dict(zip(map(bytes, made.questions), map(bytes, made.answers), strict=True))
    for tokens, labels in zip(drawn.tokens, drawn.labels, strict=True):
        (question,), (answer,) = _lines(tokens[None]), _lines(labels[None])
        assert answers[question] == answer


@pytest.mark.parametrize("step", [0, 9, 10, 37, 1000])
def test_a_stream_stands_where_its_step_says(step: int) -> None:
    pool = _pool(STREAM)
    pool.refresh(step)
    pool.close()
    assert _lines(_draw(pool).tokens) == _chunks(step // 10)


@pytest.mark.parametrize("later", [11, 25, 400, 0])
def test_a_refreshed_stream_is_the_stream_opened_later(later: int) -> None:
    rolled, opened = _pool(STREAM), _pool(STREAM)
    for step in (10, 20, later):
        rolled.refresh(step)
    opened.refresh(later)
    for pool in (rolled, opened):
        pool.close()
    assert torch.equal(_draw(rolled).tokens, _draw(opened).tokens)
    assert torch.equal(_draw(rolled).labels, _draw(opened).labels)


def test_sources_are_drawn_by_weight(tmp_path: Path) -> None:
    path = data_set(tmp_path / "data", train=5)
    pool = _pool({"path": path, "weight": 3.0}, STREAM)
    pool.refresh(0)
    pool.close()
    from_disk = {question.tobytes() for question in puzzles(5).questions}
    drawn = _draw(pool, 2000)
    share = sum(_lines(row[None]) <= from_disk for row in drawn.tokens) / 2000
    assert share == pytest.approx(0.75, abs=0.03)


def test_two_streams_differ() -> None:
    pool = _pool(STREAM, STREAM)
    pool.refresh(0)
    pool.close()
    assert _lines(_draw(pool).tokens) > _chunks(0)


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    path = data_set(tmp_path / "data", validation=0)
    with pytest.raises(DatasetError, match="split 'validation' is empty"):
        _pool({"path": path, "split": "validation"})
