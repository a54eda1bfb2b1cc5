"""`ponder batch` against a real server: files in, results out, exit statuses, Ctrl-C."""

import gzip
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import create_app
from client import Ponder
from tests.client.conftest import FOUR, IMPOSSIBLE

ROOT = Path(__file__).resolve().parents[2]
LINE = json.dumps({"kind": "sudoku", "grid": FOUR}) + "\n"


@pytest.fixture(autouse=True)
def server_of_commands(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PONDER_URL", url)
    monkeypatch.chdir(tmp_path)


def batch(*arguments: str) -> Result:
    return CliRunner().invoke(create_app(), ["batch", *arguments])


def said(*arguments: str) -> Any:
    done = batch(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_json_lines_are_sent_as_they_are() -> None:
    Path("plain.jsonl").write_text(LINE * 3)
    Path("packed.jsonl.gz").write_bytes(gzip.compress(LINE.encode() * 3))
    for file in ("plain.jsonl", "packed.jsonl.gz"):
        done = said("submit", file, "--name", file, "--wait")
        assert (done["name"], done["state"]) == (file, "done")
        assert done["counts"] == {
            **{"total": 3, "answered": 3, "solved": 3, "unsolved": 0, "invalid": 0}
        }


def test_puzzles_one_a_line_and_csv_are_named_by_their_line(ponder: Ponder) -> None:
    Path("lines.txt").write_text(f"# two\n{FOUR}\n\n{FOUR}\n")
    Path("table.csv").write_text(f"source,question\nhere,{FOUR}\nthere,{FOUR}\n")
    for file, numbers in (("lines.txt", ["2", "4"]), ("table.csv", ["2", "3"])):
        done = said("submit", file, "--effort", "low", "--wait")
        lines = ponder.batches.results(done["id"])
        assert [line.custom_id for line in lines] == numbers


def test_who_waited_hears_by_the_status_that_not_all_is_solved() -> None:
    Path("one.txt").write_text(f"{FOUR}\n{IMPOSSIBLE}\n")
    done = batch("submit", "one.txt", "--max-steps", "2", "--attempts", "1", "--wait")
    assert done.exit_code == 1
    assert "done  2/2" in done.stdout
    assert "1 solved, 1 unsolved, 0 invalid" in done.stdout


def test_results_go_to_stdout_or_into_a_file_which_goes_on(ponder: Ponder) -> None:
    batch_id = ponder.batches.submit([FOUR] * 4).id
    ponder.batches.wait(batch_id, every_s=0.05)
    printed = batch("results", batch_id).stdout
    assert [json.loads(line)["line"] for line in printed.splitlines()] == [1, 2, 3, 4]
    Path("out.jsonl").write_text(printed[:100])
    for _ in range(2):
        done = batch("results", batch_id, "--out", "out.jsonl")
        assert f"out.jsonl: {len(printed)} bytes, complete" in done.stderr
        assert Path("out.jsonl").read_text() == printed
    Path("other.jsonl").write_text("mine\n")
    refused = batch("results", batch_id, "--out", "other.jsonl")
    assert (refused.exit_code, Path("other.jsonl").read_text()) == (2, "mine\n")
    assert "holds something else" in refused.stderr


def test_a_batch_is_listed_looked_at_and_cancelled(endless: str) -> None:
    assert f"{endless}  " in batch("list", "--limit", "1").stdout
    assert "0/1  [red]endless" in batch("status", endless).stdout
    assert "so far" in batch("results", endless, "--out", "none.jsonl").stderr
    assert said("cancel", endless)["state"] == "cancelled"
    assert said("list", "--limit", "1")["id"] == endless


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["submit", "none.jsonl"], "No such file"),
        (["submit", "empty.txt"], "no puzzle in it"),
        (["submit", "torn.jsonl.gz"], "torn.jsonl.gz"),
        (["submit", "lines.jsonl", "--effort", "low"], "effort cannot be given"),
        (["status", "batch_none"], "404 unknown_batch"),
        (["list", "--url", "nowhere"], "no URL of a server"),
    ],
)
def test_an_error_is_one_message_and_status_two(arguments: list[str], expected: str) -> None:
    Path("empty.txt").write_text("# nothing\n")
    Path("torn.jsonl.gz").write_bytes(gzip.compress(LINE.encode())[:9])
    Path("lines.jsonl").write_text(LINE)
    done = batch(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert expected in " ".join(done.stderr.split())


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Commands heed Ctrl-C even where the tests run in a shell's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_leaves_the_batch_running_and_says_how_to_come_back(endless: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "batch", "status", endless, "--wait"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            told = process.stderr.readline()
            assert told == f"waiting for {endless}; Ctrl-C leaves it running\n"
            process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=20)[1]
            assert told == f"back to it: ponder batch status {endless} --wait\n"
        finally:
            process.kill()
    assert process.returncode == 130
