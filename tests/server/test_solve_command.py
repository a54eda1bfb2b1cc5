"""`ponder solve` on the command line."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from server.puzzle_files import PuzzleFileError, read_questions
from tests.server.tiny_bundle import (
    FOUR,
    HARD,
    NINE_QUESTION,
    NINE_SOLUTION,
    four_solutions,
    with_empty,
)


def ponder_solve(bundle: Path, *arguments: str) -> tuple[int, str, str]:
    command = ["solve", "--bundle", str(bundle), "--threads", "1", *arguments]
    environment = {"PONDER_PARALLEL_ATTEMPTS": "1"}  # steps are counted
    done = CliRunner().invoke(app, command, env=environment)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stdout, done.stderr


def line(empty: int) -> str:
    return FOUR.format(with_empty(four_solutions()[7], empty))


def test_a_puzzle_is_shown_with_its_boxes(bundle: Path) -> None:
    status, shown, _ = ponder_solve(bundle, NINE_QUESTION, "--max-steps", "64")
    assert status == 0
    rows = shown.splitlines()
    assert rows[0].rstrip() == "5 3 4 │ 6 7 8 │ 9 1 2"
    assert set(rows[3]) == {"─", "┼"}
    assert "".join(c for row in rows[:11] for c in row if c.isdigit()) == NINE_SOLUTION
    assert "solved, verified: 115 supervision steps, 2 attempts" in shown


def test_an_unsolved_puzzle_shows_its_question_and_exits_with_1(bundle: Path) -> None:
    status, shown, _ = ponder_solve(bundle, line(8), "--max-steps", "2", "--attempts", "1")
    assert status == 1
    assert shown.splitlines()[0].rstrip() == ". . │ . ."
    assert "unsolved: max_steps after 2 supervision steps, 1 attempt" in shown


def test_json_lines_have_the_apis_fields_in_the_order_of_the_file(
    bundle: Path, tmp_path: Path
) -> None:
    file = tmp_path / "puzzles.txt"
    file.write_text(f"# three\n{line(9)}\n\n{line(2)}\n{line(HARD + 1)}\n")
    status, lines, _ = ponder_solve(bundle, "--input", str(file), "--json", "--max-steps", "20")
    answers = [json.loads(text) for text in lines.splitlines()]
    assert status == 0
    assert [answer["steps"] for answer in answers] == [9, 2, 20 + HARD + 1]
    assert answers[0].keys() == {
        *("status", "solution", "verified", "steps", "attempts", "stopped_by"),
        *("halt_probability", "timing", "model"),
    }


def test_more_puzzles_than_the_servers_queue_takes_are_solved(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "many.txt"
    file.write_text(f"{line(1)}\n" * 1100)
    status, lines, _ = ponder_solve(bundle, "--input", str(file), "--json")
    assert (status, len(lines.splitlines())) == (0, 1100)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a puzzle or --input FILE"),
        (("12", "--input", "x"), "give a puzzle or --input FILE"),
        (("123",), "puzzle in line 1: 3 characters fit no sudoku"),
        (("11..............",), "row 1, column 2: 1 already stands in row 1"),
        (("." * 36,), "no bundle for sudoku-6x6 is loaded"),
        (("1", "--kind", "crossword"), "unknown puzzle kind 'crossword'"),
        (("--input", "nowhere.txt"), "nowhere.txt"),
        (("." * 16, "--max-steps", "99999"), "max_steps is 99999"),
    ],
)
def test_bad_input_exits_with_2_and_says_why(
    bundle: Path, arguments: tuple[str, ...], said: str
) -> None:
    status, _, errors = ponder_solve(bundle, *arguments)
    assert status == 2
    assert said in " ".join(errors.split())


def test_a_missing_bundle_exits_with_2(tmp_path: Path) -> None:
    status, _, errors = ponder_solve(tmp_path / "nowhere", "." * 16)
    assert (status, "no such file" in " ".join(errors.split())) == (2, True)


@pytest.mark.parametrize("packed", [False, True])
def test_a_csv_gives_its_question_column(tmp_path: Path, packed: bool) -> None:
    text = f"source,question,answer,rating\na,{line(3)},,0\nb,{line(4)},,1\n"
    file = tmp_path / ("p.csv.gz" if packed else "p.csv")
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    questions = read_questions(file)
    assert [question.text for question in questions] == [line(3), line(4)]
    assert [question.line for question in questions] == [2, 3]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no puzzle in it"),
        (b"source,answer\na,1\n", "no column is called question"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_a_file_without_puzzles_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(PuzzleFileError, match=said):
        read_questions(tmp_path / "file")


def test_a_gz_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(b"plain")
    with pytest.raises(PuzzleFileError):
        read_questions(tmp_path / "file.gz")
