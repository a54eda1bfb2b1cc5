"""The file of known tasks."""

from pathlib import Path

import pytest

from puzzles.arc_task import ArcTask, InvalidTaskError
from puzzles.known_tasks import KnownTask, read_known_tasks, write_known_tasks

TASK = ArcTask.read({"train": [{"input": [[1, 2]], "output": [[2, 1]]}]})


def test_tasks_that_nobody_asks_keep_their_place_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    write_known_tasks(
        path, [KnownTask("made", "arc-10x10", None), KnownTask("asked", "arc-10x10", TASK)]
    )
    made, asked = read_known_tasks(path)
    assert (made.name, made.task) == ("made", None)
    assert asked.name == "asked"
    assert asked.task is not None
    assert asked.task.canonical == TASK.canonical


@pytest.mark.parametrize(
    "text",
    ['[{"name": "a", "puzzle": "arc-10x10"}]', '[{"name": "a", "puzzle": "p", "train": 3}]', "{"],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(text)
    with pytest.raises(InvalidTaskError, match=r"tasks\.json"):
        read_known_tasks(path)
