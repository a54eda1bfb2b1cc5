"""What an evaluation reads: data set directories and CSV files of any size."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

from puzzles.sudoku import Sudoku
from tests.training.small_runs import data_set, puzzles
from training.dataset import DatasetError
from training.evaluation_data import read_evaluation_data
from training.sudoku_generator import generate_chunk

HEADER = "source,question,answer,rating\n"


@pytest.fixture
def progress() -> Iterator[Progress]:
    with Progress(console=Console(quiet=True)) as progress:
        yield progress


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 3), (3, 3)])
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_csv_file_tells_its_size(
    tmp_path: Path, progress: Progress, height: int, width: int, suffix: str
) -> None:
    sudoku = Sudoku(height, width)
    made = generate_chunk(sudoku, seed=0, chunk_index=0, count=3)
    rows = [
        f"s{i},{sudoku.format(made.questions[i])},{sudoku.format(made.answers[i])},{i}\n"
        for i in range(3)
    ]
    path = tmp_path / f"puzzles.{suffix}"
    content = (HEADER + "".join(rows)).encode()
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    read = read_evaluation_data(path, "test", progress)
    assert (read.name, read.kind.spec.name) == (path.name, sudoku.spec.name)
    assert np.array_equal(read.questions, made.questions)
    assert np.array_equal(read.answers, made.answers)
    assert read.ratings.tolist() == [0, 1, 2]
    assert [read.source_names[source] for source in read.sources] == ["s0", "s1", "s2"]


def test_a_data_set_gives_the_split_asked_for(tmp_path: Path, progress: Progress) -> None:
    read = read_evaluation_data(data_set(tmp_path / "small"), "validation", progress)
    assert (read.name, len(read)) == ("small/validation", 8)
    assert np.array_equal(read.questions, puzzles(48).questions[40:])
    assert read.source_names == ("made",)


def test_a_sample_is_spread_from_the_first_puzzle_to_the_last(
    tmp_path: Path, progress: Progress
) -> None:
    read = read_evaluation_data(data_set(tmp_path / "small", train=41), "train", progress)
    sample = read.evenly_spaced(5)
    assert np.array_equal(sample.questions, read.questions[[0, 10, 20, 30, 40]])
    assert np.array_equal(sample.ratings, read.ratings[[0, 10, 20, 30, 40]])
    assert read.evenly_spaced(100) is read


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER, "holds no puzzles"),
        ("", "holds no puzzles"),
        (f"{HEADER}x,12345,12345,0\n", "line 2: question: 5 characters fit no Sudoku"),
        (f"{HEADER}x,{'.' * 16},{'1' * 16},0\n", "line 2: answer: row 1, column 2"),
    ],
)
def test_an_unusable_file_is_named(
    tmp_path: Path, progress: Progress, content: str, message: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(DatasetError, match=rf"bad\.csv.*{message}"):
        read_evaluation_data(path, "test", progress)


def test_a_missing_file_is_named(tmp_path: Path, progress: Progress) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read"):
        read_evaluation_data(tmp_path / "none.csv", "test", progress)
