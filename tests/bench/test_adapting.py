"""`ponder bench adapt` on tasks made for it: who is asked, what is told, what is not redone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.adapting import Outcome, part_of, read_asked, table, ways_of
from bench.report import BenchError
from cli.main import app
from tests.training.arc_tasks import fill_task, mirror_task, write_tasks


@pytest.fixture
def asked(tmp_path: Path) -> tuple[Path, Path]:
    tasks = {"a": fill_task(0), "b": mirror_task(1), "c": fill_task(2)}
    names = tmp_path / "names.txt"
    names.write_text("# two of three\nb\na\n")
    return write_tasks(tmp_path / "tasks.json", tasks), names


def test_the_tasks_that_are_listed_are_asked_by_name(asked: tuple[Path, Path]) -> None:
    found = read_asked(*asked)
    assert [task.name for task in found] == ["a", "b"]
    assert [task.name for task in part_of(found, "2/2")] == ["b"]
    assert part_of(found, None) == found
    asked[1].write_text("a\nz\n")
    with pytest.raises(BenchError, match="no task z"):
        read_asked(*asked)


@pytest.mark.parametrize("part", ["1", "0/2", "3/2", "a/b", "1/2/3"])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(BenchError, match=f"part {part}"):
        part_of([], part)


def test_the_table_counts_by_way_and_time() -> None:
    def outcome(task: str, way: str, solved: float, held_out: float | None) -> Outcome:
        return Outcome.model_validate(
            {"task": task, "way": way, "minutes": 2.0, "demonstrations": 3, "solved": solved}
            | {"optimizer_steps": 9, "seconds": 30.0 * solved, "exact": 0.5, "held_out": held_out}
        )

    found = [
        outcome("a", "nothing", 0, None),
        outcome("a", "network", 1, 0.25),
        outcome("b", "network", 0.5, None),
    ]
    lines = table(found).splitlines()[2:]
    assert lines[0] == "| nothing | 2 | 1 | 1 | 0 | 0 | 50% of 1 | – |"
    assert lines[1] == "| network | 2 | 1 | 2 | 1.5 | 22 | 50% of 2 | 25% of 1 |"


def test_a_way_without_minutes_is_left_out() -> None:
    assert ways_of(embedding_minutes=0, network_minutes=2) == (("nothing", 0.0), ("network", 2))


def test_what_is_there_is_not_done_again(
    asked: tuple[Path, Path], arc_bundle: Path, tmp_path: Path
) -> None:
    tasks, names = asked
    out = tmp_path / "out.jsonl"
    command = ["bench", "adapt", str(arc_bundle), str(tasks), "--names", str(names)]
    command += ["--quick", "--minutes", "0.001", "--tries", "2", "--out", str(out)]
    runner = CliRunner()
    result = runner.invoke(app, command)
    assert result.exit_code == 0, result.output
    before = out.read_text()
    outcomes = [json.loads(line) for line in before.splitlines()]
    assert [(one["task"], one["way"], one["tries"]) for one in outcomes] == [
        ("a", "nothing", 1),
        ("a", "embedding", 1),
        ("a", "embedding", 2),
        ("a", "network", 1),
        ("a", "network", 2),
    ]
    assert outcomes[0]["optimizer_steps"] == 0
    assert "| network | 0.001 | 2 | 1 |" in result.output
    assert runner.invoke(app, command).exit_code == 0
    assert out.read_text() == before
