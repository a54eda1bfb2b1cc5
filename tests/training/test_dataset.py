"""The data set on disk: what was written is read, and what is not whole is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.dataset import DatasetError, PuzzleSet, Split, write_dataset
from training.sudoku_generator import generate_chunk


def _split(count: int) -> Split:
    puzzles = generate_chunk("sudoku-4x4", seed=1, chunk_index=0, count=count)
    return Split(puzzles, np.arange(count, dtype=np.uint8) % 2)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "made" / "set"
    write_dataset(
        made,
        {"train": _split(6), "test": _split(0)},
        puzzle="sudoku-4x4",
        seed=3,
        sources=("here", "there"),
        provenance=("made for a test",),
    )
    return made


def test_a_split_comes_back_as_it_was_written(directory: Path) -> None:
    written, puzzles = _split(6), PuzzleSet.open(directory, "train", puzzle="sudoku-4x4")
    assert len(puzzles) == 6
    assert np.array_equal(puzzles.questions, written.puzzles.questions)
    assert np.array_equal(puzzles.answers, written.puzzles.answers)
    assert np.array_equal(puzzles.ratings, written.puzzles.ratings)
    assert np.array_equal(puzzles.sources, written.sources)
    assert puzzles.info.sources == ("here", "there")
    assert puzzles.info.seed == 3
    dtypes = (puzzles.questions, puzzles.answers, puzzles.ratings, puzzles.sources)
    assert [array.dtype for array in dtypes] == [np.uint8, np.uint8, np.int32, np.uint8]


def test_arrays_are_mapped_and_cannot_be_written(directory: Path) -> None:
    questions = PuzzleSet.open(directory, "train").questions
    assert isinstance(questions, np.memmap)
    assert not questions.flags.writeable


def test_nothing_is_left_beside_a_finished_data_set(directory: Path) -> None:
    assert [path.name for path in directory.parent.iterdir()] == ["set"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sources"):
        write_dataset(
            tmp_path / "set",
            {"train": _split(2)},
            puzzle="sudoku-4x4",
            seed=0,
            sources=["too", "many"] * 200,
            provenance=(),
        )
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_is_not_written_over(directory: Path) -> None:
    with pytest.raises(DatasetError, match="exists already"):
        write_dataset(directory, {}, puzzle="sudoku-4x4", seed=0, sources=(), provenance=())
    assert len(PuzzleSet.open(directory, "train")) == 6


def test_a_directory_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"dataset\.json: no such file"):
        PuzzleSet.open(tmp_path, "train")


def test_another_puzzle_is_refused(directory: Path) -> None:
    with pytest.raises(DatasetError, match="holds sudoku-4x4, expected sudoku-9x9"):
        PuzzleSet.open(directory, "train", puzzle="sudoku-9x9")


def test_an_unknown_split_is_refused_with_the_known_ones(directory: Path) -> None:
    with pytest.raises(DatasetError, match="'evaluation'; splits are train, test"):
        PuzzleSet.open(directory, "evaluation")


def test_an_empty_split_is_refused(directory: Path) -> None:
    with pytest.raises(DatasetError, match="split 'test' is empty"):
        PuzzleSet.open(directory, "test")


@pytest.mark.parametrize("name", ["questions", "answers", "ratings", "sources"])
def test_one_changed_byte_in_an_array_is_found(directory: Path, name: str) -> None:
    path = directory / f"train_{name}.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=f"train_{name}.npy: damaged"):
        PuzzleSet.open(directory, "train")


def test_a_missing_array_is_named(directory: Path) -> None:
    (directory / "train_answers.npy").unlink()
    with pytest.raises(DatasetError, match=r"train_answers\.npy: .* no such file"):
        PuzzleSet.open(directory, "train")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format_version": 2}, "format version 2, expected 1"), ({"color": "red"}, "color")],
)
def test_a_dataset_json_from_elsewhere_is_refused(
    directory: Path, change: dict[str, object], message: str
) -> None:
    path = directory / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DatasetError, match=message):
        PuzzleSet.open(directory, "train")


def test_a_count_that_the_arrays_do_not_have_is_refused(directory: Path) -> None:
    path = directory / "dataset.json"
    path.write_text(path.read_text().replace('"count": 6', '"count": 7').replace('"count":6', ""))
    with pytest.raises(DatasetError, match=r"6 puzzles, but dataset\.json says 7"):
        PuzzleSet.open(directory, "train")
