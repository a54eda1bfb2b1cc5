"""`ponder data check`, and the regime that a data set claims."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from cli.main import app
from puzzles.sudoku import Sudoku
from tests.training.puzzle_files import write_csv
from training.data_check import Overlap, overlaps
from training.dataset import DatasetInfo, PuzzleSet, Split, write_dataset
from training.sudoku_generator import generate_chunk

NINE = Sudoku(3, 3)
WIDE = {"COLUMNS": "300"}


def _data(command: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["data", command, *map(str, arguments)], env=WIDE)


@pytest.fixture
def progress() -> Iterator[Progress]:
    with Progress(console=Console(quiet=True)) as progress:
        yield progress


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Training and test puzzles of 9×9, apart."""
    made = generate_chunk(NINE, seed=30, chunk_index=0, count=8)
    train = write_csv(tmp_path / "train.csv", made[:5])
    test = write_csv(tmp_path / "test.csv", made[5:8])
    out = tmp_path / "set"
    assert _data("sudoku", "--out", out, "--csv", train, "--test-csv", test).exit_code == 0
    return out


def test_a_set_that_the_builder_made_holds_nothing_of_its_test_files(
    directory: Path, progress: Progress
) -> None:
    test = directory.parent / "test.csv"
    assert overlaps(directory, [test], progress) == [Overlap("train", 5, questions=0, grids=0)]
    assert _data("check", directory, "--against", test).exit_code == 0


def test_training_on_a_test_file_is_counted_and_ends_with_status_1(
    directory: Path, progress: Progress
) -> None:
    train = directory.parent / "train.csv"
    assert overlaps(directory, [train], progress) == [Overlap("train", 5, questions=5, grids=0)]
    assert _data("check", directory, "--against", train).exit_code == 1


def test_sharing_solved_grids_with_a_test_file_is_counted_apart(
    directory: Path, progress: Progress
) -> None:
    trained = generate_chunk(NINE, seed=30, chunk_index=0, count=2)
    shares = replace(trained, questions=trained.answers * (np.arange(81) % 3 > 0))
    test = write_csv(directory.parent / "shares.csv", shares)
    assert overlaps(directory, [test], progress) == [Overlap("train", 5, questions=0, grids=2)]


def test_splits_that_repeat_the_sets_own_test_split_are_told(
    tmp_path: Path, progress: Progress
) -> None:
    made = generate_chunk("sudoku-4x4", seed=31, chunk_index=0, count=2)
    same = Split(made, np.zeros(2, np.uint8))
    splits = {"train": same, "validation": same, "test": same}
    directory = tmp_path / "set"
    write_dataset(directory, splits, puzzle="sudoku-4x4", seed=0, sources=("x",), provenance=())
    assert overlaps(directory, [], progress) == [
        Overlap("train", 2, questions=2, grids=None),
        Overlap("validation", 2, questions=2, grids=None),
    ]


def test_nothing_to_compare_with_is_an_error(tmp_path: Path) -> None:
    _data("sudoku", "--out", tmp_path / "set", "--generate", "5")
    result = _data("check", tmp_path / "set")
    assert result.exit_code == 2
    assert "--against" in result.output


def test_a_set_of_the_1k_regime_says_so(tmp_path: Path) -> None:
    puzzles = write_csv(tmp_path / "a.csv", generate_chunk(NINE, seed=32, chunk_index=0, count=4))
    result = _data("sudoku", "--out", tmp_path / "set", "--csv", puzzles, "--regime", "1k")
    assert result.exit_code == 0, result.output
    assert "regime 1k" in result.output
    assert PuzzleSet.open(tmp_path / "set", "train").info.regime == "1k"


def test_a_set_from_before_regimes_claims_nothing(directory: Path) -> None:
    path = directory / "dataset.json"
    path.write_text(path.read_text().replace(' "regime": "open",\n', ""))
    assert "regime" not in path.read_text()
    assert DatasetInfo.read(directory).regime == "open"


def test_generated_puzzles_are_not_of_the_1k_regime(tmp_path: Path) -> None:
    result = _data("sudoku", "--out", tmp_path / "set", "--generate", "5", "--regime", "1k")
    assert result.exit_code == 2
    assert "generated puzzles make a data set open" in result.output
    assert not (tmp_path / "set").exists()


def test_more_than_1000_puzzles_are_not_of_the_1k_regime(tmp_path: Path) -> None:
    made = generate_chunk("sudoku-6x6", seed=33, chunk_index=0, count=1100)
    arguments = ("--size", "6", "--csv", write_csv(tmp_path / "a.csv", made), "--regime", "1k")
    result = _data("sudoku", "--out", tmp_path / "set", *arguments, "--validation", "500")
    assert result.exit_code == 2
    assert "training puzzles, at most 1,000" in result.output
