"""`ponder data sudoku`: inputs are checked, splits are kept apart."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from cli.main import app
from puzzles.sudoku import Sudoku
from tests.training.puzzle_files import HEADER, write_csv, write_lines
from training.data_build import SudokuRequest, build_sudoku
from training.dataset import DatasetError, PuzzleArrays, PuzzleSet
from training.fingerprint import fingerprints
from training.sudoku_generator import generate_chunk

SUDOKU, SIX = Sudoku(2, 2), Sudoku(2, 3)
REQUEST = SudokuRequest(sudoku=SUDOKU, seed=0)


@pytest.fixture
def progress() -> Iterator[Progress]:
    with Progress(console=Console(quiet=True)) as progress:
        yield progress


def _puzzles(count: int) -> PuzzleArrays:
    """Puzzles of one size, no two of them equivalent."""
    made = generate_chunk(SUDOKU, seed=1, chunk_index=0, count=4 * count)
    _, first = np.unique(fingerprints(made.questions, SUDOKU), axis=0, return_index=True)
    return made[np.sort(first)[:count]]


def _renamed(puzzles: PuzzleArrays) -> PuzzleArrays:
    symbols = np.array([0, 3, 1, 4, 2], np.uint8)
    return replace(puzzles, questions=symbols[puzzles.questions], answers=symbols[puzzles.answers])


@pytest.mark.parametrize("name", ["puzzles.csv", "puzzles.csv.gz"])
def test_csv_puzzles_come_back_from_the_data_set(
    tmp_path: Path, progress: Progress, name: str
) -> None:
    puzzles = _puzzles(5)
    request = replace(REQUEST, csv=(write_csv(tmp_path / name, puzzles),))
    build_sudoku(request, tmp_path / "set", progress)
    read = PuzzleSet.open(tmp_path / "set", "train", puzzle="sudoku-4x4")
    assert np.array_equal(read.questions, puzzles.questions)
    assert np.array_equal(read.answers, puzzles.answers)
    assert np.array_equal(read.ratings, puzzles.ratings)
    assert read.info.sources == ("here",)


def test_further_columns_are_ignored_in_any_order(tmp_path: Path, progress: Progress) -> None:
    lines = ["ser,rating,answer,question,source", "7.2,3,1234341221434321,1..4341221434321,x"]
    request = replace(REQUEST, csv=(write_lines(tmp_path / "a.csv", lines),))
    build_sudoku(request, tmp_path / "set", progress)
    read = PuzzleSet.open(tmp_path / "set", "train")
    assert SUDOKU.format(read.questions[0]) == "1..4341221434321"
    assert read.ratings.tolist() == [3]


GOOD = "x,1..4341221434321,1234341221434321,0"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x,1..434122143432,1234341221434321,0", "question: 15 characters, expected 16"),
        ("x,1..434122143432!,1234341221434321,0", "question: row 4, column 4: '!'"),
        ("x,11.4341221434321,1234341221434321,0", "question: row 1, column 2: 1 already stands"),
        ("x,1..4341221434321,1134341221434321,0", "answer: row 1, column 2: 1 already stands"),
        ("x,2..............3,1234341221434321,0", "answer: it does not solve the question"),
        ("x,1..4341221434321,123434122143432.,0", "answer: it does not solve the question"),
        ("x,1..4341221434321,1234341221434321,hard", "rating: 'hard' is not a number"),
        ("x,1..4341221434321", "answer: 0 characters, expected 16|rating: ''"),
    ],
)
def test_a_bad_row_is_reported_with_file_and_line(
    tmp_path: Path, progress: Progress, row: str, message: str
) -> None:
    path = write_lines(tmp_path / "bad.csv", [HEADER, GOOD, row, GOOD])
    with pytest.raises(DatasetError, match=rf"bad\.csv, line 3: ({message})"):
        build_sudoku(replace(REQUEST, csv=(path,)), tmp_path / "set", progress)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"source,question,rating\n", "line 1: no column answer"),
        (b"", "line 1: no column source, question, answer, rating"),
        (f"{HEADER}\n".encode(), "holds no puzzles"),
        (f"{HEADER}\n\xff,,,\n".encode("latin-1"), "cannot be read"),
    ],
)
def test_a_file_that_is_no_puzzle_csv_is_refused(
    tmp_path: Path, progress: Progress, content: bytes, message: str
) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"odd\.csv.*{message}"):
        build_sudoku(replace(REQUEST, csv=(path,)), tmp_path / "set", progress)


def test_a_gzip_file_cut_short_is_refused(tmp_path: Path, progress: Progress) -> None:
    path = write_csv(tmp_path / "cut.csv.gz", _puzzles(50))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r"cut\.csv\.gz: cannot be read"):
        build_sudoku(replace(REQUEST, csv=(path,)), tmp_path / "set", progress)


def test_a_missing_file_is_named(tmp_path: Path, progress: Progress) -> None:
    request = replace(REQUEST, csv=(tmp_path / "none.csv",))
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read: .*No such file"):
        build_sudoku(request, tmp_path / "set", progress)


def test_a_test_puzzle_is_refused_from_training_also_with_its_symbols_renamed(
    tmp_path: Path, progress: Progress
) -> None:
    puzzles = _puzzles(8)
    training = PuzzleArrays.concatenate([puzzles[0:6], _renamed(puzzles[6:8])])
    request = replace(
        REQUEST,
        csv=(write_csv(tmp_path / "train.csv", training),),
        test_csv=(write_csv(tmp_path / "test.csv", puzzles[5:8], "held"),),
    )
    info = build_sudoku(request, tmp_path / "set", progress)
    train = PuzzleSet.open(tmp_path / "set", "train")
    assert np.array_equal(train.questions, puzzles.questions[:5])
    test = PuzzleSet.open(tmp_path / "set", "test")
    assert np.array_equal(test.questions, puzzles.questions[5:8])
    assert [info.sources[i] for i in test.sources] == ["held"] * 3
    assert (
        "refused 3 training puzzles that are equivalent to a test puzzle (here: 3)"
        in info.provenance
    )


def test_of_equal_training_puzzles_the_first_is_kept(tmp_path: Path, progress: Progress) -> None:
    puzzles = _puzzles(4)
    both = (
        write_csv(tmp_path / "a.csv", puzzles, "first"),
        write_csv(tmp_path / "b.csv", _renamed(puzzles), "second"),
    )
    info = build_sudoku(replace(REQUEST, csv=both), tmp_path / "set", progress)
    train = PuzzleSet.open(tmp_path / "set", "train")
    assert np.array_equal(train.questions, puzzles.questions)
    assert {info.sources[i] for i in train.sources} == {"first"}


def test_held_out_splits_share_no_puzzle_and_the_seed_decides_them(
    tmp_path: Path, progress: Progress
) -> None:
    request = replace(REQUEST, sudoku=SIX, generate=300, validation=20, test=30)

    def build(name: str, seed: int) -> dict[str, set[bytes]]:
        build_sudoku(replace(request, seed=seed), tmp_path / name, progress)
        questions = {
            split: PuzzleSet.open(tmp_path / name, split).questions
            for split in ("train", "validation", "test")
        }
        return {
            split: {form.tobytes() for form in fingerprints(array, SIX)}
            for split, array in questions.items()
        }

    first, again, other = build("first", 5), build("again", 5), build("other", 6)
    assert first == again
    assert first["validation"] != other["validation"]
    assert (len(first["validation"]), len(first["test"])) == (20, 30)
    assert not first["train"] & first["validation"]
    assert not (first["train"] | first["validation"]) & first["test"]


def test_holding_out_everything_is_refused(tmp_path: Path, progress: Progress) -> None:
    with pytest.raises(DatasetError, match="leave none for training"):
        build_sudoku(replace(REQUEST, generate=10, validation=10), tmp_path / "set", progress)


def test_a_request_without_puzzles_is_refused(tmp_path: Path, progress: Progress) -> None:
    with pytest.raises(DatasetError, match="no training puzzles"):
        build_sudoku(REQUEST, tmp_path / "set", progress)


def test_the_hub_layout_is_read_from_a_local_copy(tmp_path: Path, progress: Progress) -> None:
    puzzles = _puzzles(6)
    write_csv(tmp_path / "hub" / "train.csv", puzzles[:4], "train-rows")
    write_csv(tmp_path / "hub" / "test.csv", puzzles[4:], "test-rows")
    request = replace(REQUEST, hub=True, hub_dir=tmp_path / "hub")
    info = build_sudoku(request, tmp_path / "set", progress)
    assert {name: split.count for name, split in info.splits.items()} == {
        "train": 4,
        "validation": 0,
        "test": 2,
    }
    assert any("sapientinc/sudoku-extreme" in line for line in info.provenance)


def test_a_local_copy_without_a_file_is_refused(tmp_path: Path, progress: Progress) -> None:
    write_csv(tmp_path / "hub" / "train.csv", _puzzles(4))
    request = replace(REQUEST, hub=True, hub_dir=tmp_path / "hub")
    with pytest.raises(DatasetError, match=r"hub/test\.csv: no such file in the local copy"):
        build_sudoku(request, tmp_path / "set", progress)


def test_the_hub_offline_is_a_clear_error(tmp_path: Path) -> None:
    # A process of its own: huggingface_hub reads its environment once, when it is imported.
    command = [sys.executable, "-m", "cli", "data", "sudoku", "--source", "hub"]
    finished = subprocess.run(
        [*command, "--out", str(tmp_path / "set")],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert "cannot fetch train.csv of sapientinc/sudoku-extreme" in finished.stderr
    assert "--hub-dir" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_command_builds_and_sums_up(tmp_path: Path) -> None:
    out = tmp_path / "set"
    arguments = ["data", "sudoku", "--out", str(out), "--size", "4", "--generate", "200"]
    result = CliRunner().invoke(
        app, [*arguments, "--extra-givens", "0-3", "--validation", "10", "--seed", "7"]
    )
    assert result.exit_code == 0, result.output
    assert "sudoku-4x4" in result.output
    assert "validation" in result.output
    assert "200 generated puzzles, 0-3 extra givens" in result.output
    assert len(PuzzleSet.open(out, "validation", puzzle="sudoku-4x4")) == 10


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--size", "7", "size 7: no such Sudoku; sizes are 4, 6, 9, 16, 25"),
        ("--extra-givens", "5-2", "expected A-B"),
        ("--extra-givens", "some", "expected A-B"),
        ("--extra-givens", "0-99", "expected 0 ≤ A ≤ B"),
    ],
)
def test_an_option_that_makes_no_sense_ends_with_a_message(
    tmp_path: Path, option: str, value: str, message: str
) -> None:
    out = tmp_path / "set"
    arguments = ["data", "sudoku", "--out", str(out), "--generate", "5", option, value]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not out.exists()
