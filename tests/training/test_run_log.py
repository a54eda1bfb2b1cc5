"""metrics.jsonl: what was logged comes back; a resumed run goes on behind its step."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.run_log import METRICS_FILE, RunLog, RunLogError, read_metrics


def _log(run: Path, *, after: int, steps: range) -> None:
    run_log = RunLog(run, after=after)
    for step in steps:
        run_log.write(step, {"loss": step / 10})
    run_log.close()


def test_lines_of_one_optimizer_step_are_one_entry(tmp_path: Path) -> None:
    run_log = RunLog(tmp_path, after=0)
    run_log.write(2, {"loss": 1.0})
    run_log.write(2, {"validation": 0.5})
    assert read_metrics(tmp_path) == [{"optimizer_step": 2, "loss": 1.0, "validation": 0.5}]
    run_log.close()


def test_a_resumed_run_drops_what_lies_beyond_its_step(tmp_path: Path) -> None:
    _log(tmp_path, after=0, steps=range(1, 6))
    _log(tmp_path, after=3, steps=range(4, 5))
    lines = (tmp_path / METRICS_FILE).read_text().splitlines()
    assert len(lines) == 4
    assert [line["optimizer_step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 4]


def test_tensorboard_drops_it_too(tmp_path: Path) -> None:
    _log(tmp_path, after=0, steps=range(1, 6))
    _log(tmp_path, after=3, steps=range(4, 5))
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("loss")] == [1, 2, 3, 4]


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path: Path) -> None:
    _log(tmp_path, after=0, steps=range(1, 3))
    with (tmp_path / METRICS_FILE).open("a") as file:
        file.write('{"optimizer_step": 3, "lo')
    assert [line["optimizer_step"] for line in read_metrics(tmp_path)] == [1, 2]
    _log(tmp_path, after=2, steps=range(3, 4))
    assert [line["optimizer_step"] for line in read_metrics(tmp_path)] == [1, 2, 3]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / METRICS_FILE).write_text('{"optimizer_step": 1}\nnonsense\n')
    with pytest.raises(RunLogError, match=r"metrics\.jsonl, line 2: damaged"):
        read_metrics(tmp_path)


def test_a_directory_without_metrics_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunLogError, match=r"metrics\.jsonl: no such file; is this a run"):
        read_metrics(tmp_path)
