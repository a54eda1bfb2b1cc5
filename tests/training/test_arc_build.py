"""Which tasks get into a set, and what must never be trained on."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from puzzles.arc import ARCS, Variant
from tests.training.arc_tasks import Raw, fill_task, mirror_task, pair, write_tasks
from training.arc_build import ArcRequest, build_arc, canvas_of_size, one_task, read_names
from training.dataset import DatasetError
from training.made.tasks import made_tasks
from training.task_set import ANSWERS_FILE, MADE_SOURCE, TASKS_FILE, TaskSet, TaskSetInfo

TEN = ARCS[0]


@pytest.fixture
def quiet() -> Progress:
    return Progress(disable=True)


def dressed(raw: Raw) -> Raw:
    """A pair turned and recoloured."""
    variant = Variant(3, (0, 2, 3, 4, 5, 6, 7, 8, 9, 1))
    return {side: variant.apply(np.array(grid, np.uint8)).tolist() for side, grid in raw.items()}


def test_answers_of_evaluation_tasks_lie_apart(tmp_path: Path, quiet: Progress) -> None:
    asked, shown = mirror_task(0), fill_task(1)
    evaluate = write_tasks(tmp_path / "evaluation.json", {"asked": asked})
    train = write_tasks(tmp_path / "training.json", {"shown": shown})
    out = tmp_path / "set"
    build_arc(ArcRequest(TEN, train=(train,), evaluate=(evaluate,)), out, quiet)
    tasks = {named.name: named for named in TaskSet.open(out).tasks}
    assert len(tasks["asked"].task.demonstrations) == 3
    assert tasks["asked"].task.answers == (None,)
    assert len(tasks["shown"].task.demonstrations) == 3  # its question is trained on, too
    assert json.dumps(asked["test"][0]["output"]) not in (out / TASKS_FILE).read_text()
    answered = {named.name: named for named in TaskSet.open(out, with_answers=True).tasks}
    np.testing.assert_array_equal(answered["asked"].task.answers[0], asked["test"][0]["output"])


def test_a_task_that_shows_an_answer_in_another_dress_is_refused_or_dropped(
    tmp_path: Path, quiet: Progress
) -> None:
    asked = mirror_task(0)
    thief = {"train": [dressed(asked["test"][0]), *fill_task(1)["train"]], "test": []}
    evaluate = write_tasks(tmp_path / "evaluation.json", {"asked": asked})
    train = write_tasks(tmp_path / "training.json", {"thief": thief, "honest": fill_task(2)})
    request = ArcRequest(TEN, train=(train,), evaluate=(evaluate,))
    with pytest.raises(DatasetError, match="thief shows an answer of asked"):
        build_arc(request, tmp_path / "set", quiet)
    assert not (tmp_path / "set").exists()
    info = build_arc(
        ArcRequest(TEN, train=(train,), evaluate=(evaluate,), drop_leaks=True),
        tmp_path / "set",
        quiet,
    )
    assert [named.name for named in TaskSet.open(tmp_path / "set").tasks] == ["honest", "asked"]
    assert "dropped thief: shows an answer of asked" in info.provenance


def test_made_tasks_lie_beside_those_of_files(tmp_path: Path, quiet: Progress) -> None:
    train = write_tasks(tmp_path / "training.json", {"shown": fill_task(1)})
    request = ArcRequest(TEN, train=(train,), largest=8, made=5, made_pairs=6, seed=3)
    info = build_arc(request, tmp_path / "set", quiet)
    tasks = TaskSet.open(tmp_path / "set").tasks
    assert [named.source for named in tasks] == ["training"] + 5 * [MADE_SOURCE]
    assert "made: 5 tasks of 6 pairs, seed 3" in info.provenance
    for named in tasks[1:]:
        assert len(named.task.demonstrations) == 6
        assert named.task.side <= 8


def test_a_made_task_that_shows_an_answer_is_a_leak(tmp_path: Path, quiet: Progress) -> None:
    [first, *_] = made_tasks(1, 4, 0, 10)
    shown = first.task.demonstrations[2]
    asked = fill_task(1) | {"test": [pair(shown.question, shown.answer)]}
    evaluate = write_tasks(tmp_path / "evaluation.json", {"asked": asked})
    request = ArcRequest(TEN, evaluate=(evaluate,), made=1, made_pairs=4)
    with pytest.raises(DatasetError, match=r"made-0-0000\S+ shows an answer of asked"):
        build_arc(request, tmp_path / "set", quiet)


def test_a_task_like_one_that_is_kept_out_is_a_leak(tmp_path: Path, quiet: Progress) -> None:
    secret = mirror_task(0)
    twin = {"train": [dressed(one) for one in secret["train"]], "test": []}
    train = write_tasks(tmp_path / "training.json", {"secret": secret, "twin": twin})
    request = ArcRequest(TEN, train=(train,), without=frozenset({"secret"}))
    with pytest.raises(DatasetError, match="twin shows a pair of secret"):
        build_arc(request, tmp_path / "set", quiet)


def test_a_repeated_name_is_taken_once_and_told(tmp_path: Path, quiet: Progress) -> None:
    first = write_tasks(tmp_path / "one.json", {"same": mirror_task(0)})
    second = write_tasks(tmp_path / "two.json", {"same": mirror_task(0), "more": fill_task(1)})
    info = build_arc(ArcRequest(TEN, train=(second,), evaluate=(first,)), tmp_path / "set", quiet)
    assert info.tasks == 2
    assert "1 × two repeats one" in info.provenance


def test_only_tasks_that_fit_are_taken(tmp_path: Path, quiet: Progress) -> None:
    wide = {"train": [pair(np.ones((1, 11), int), np.ones((1, 1), int))], "test": []}
    train = write_tasks(tmp_path / "training.json", {"wide": wide, "small": fill_task(0)})
    assert build_arc(ArcRequest(TEN, train=(train,)), tmp_path / "set", quiet).tasks == 1
    with pytest.raises(DatasetError, match="no tasks"):
        build_arc(ArcRequest(TEN, train=(train,), largest=1), tmp_path / "none", quiet)


@pytest.mark.parametrize("file", [TASKS_FILE, ANSWERS_FILE])
def test_a_damaged_set_is_refused(tmp_path: Path, quiet: Progress, file: str) -> None:
    train = write_tasks(tmp_path / "training.json", {"one": fill_task(0)})
    out = tmp_path / "set"
    build_arc(ArcRequest(TEN, evaluate=(train,)), out, quiet)
    (out / file).write_text((out / file).read_text().replace("[", " [", 1))
    with pytest.raises(DatasetError, match=f"{file}: damaged"):
        TaskSet.open(out, with_answers=True)
    with pytest.raises(DatasetError, match="holds arc-10x10, expected arc-30x30"):
        TaskSet.open(out, puzzle="arc-30x30")


def test_bad_input_is_named(tmp_path: Path, quiet: Progress) -> None:
    bad = write_tasks(tmp_path / "bad.json", {"t": {"train": [{"input": [[1]]}]}})
    with pytest.raises(DatasetError, match=r"bad.json: task t: train\[0\]"):
        build_arc(ArcRequest(TEN, train=(bad,)), tmp_path / "set", quiet)
    with pytest.raises(DatasetError, match="no such canvas; sides are 10, 15, 20, 30"):
        canvas_of_size(11)
    request = ArcRequest(TEN, train=(), without=frozenset({"nobody"}))
    with pytest.raises(DatasetError, match="no file holds nobody"):
        build_arc(request, tmp_path / "set", quiet)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_names(tmp_path / "missing.txt")
    with pytest.raises(DatasetError, match="build a task set"):
        TaskSetInfo.read(tmp_path)


def test_one_task_of_a_file(tmp_path: Path) -> None:
    many = write_tasks(tmp_path / "many.json", {"a": fill_task(0), "b": mirror_task(0)})
    assert one_task(many, "b").name == "b"
    with pytest.raises(DatasetError, match="many tasks, name one"):
        one_task(many, None)
    packed = tmp_path / "alone.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(fill_task(0)).encode()))
    assert one_task(packed, None).task.side == 3
