"""Batches on their way, round by round."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.batches.runner import BATCHES_AT_ONCE
from server.disk import StorageError
from server.solver import DrainingError
from server.worker import EngineDownError, EngineFailedError, WorkerClosedError
from tests.server.batch_bench import UNSOLVED, Bench, ask


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_answers_are_stored_in_the_order_of_the_lines(bench: Bench) -> None:
    bench.add("b", "a", "b", "c")
    bench.runner.advance()
    assert bench.solver.asked == ["b/a", "b/b", "b/c"]
    bench.solver.answer("b/b")
    bench.runner.advance()
    assert (bench.results("b"), bench.state("b")) == ("", "running")
    bench.solver.answer("b/a", finish=UNSOLVED)
    bench.runner.advance()
    assert (bench.results("b"), bench.state("b")) == ("a:unsolved b:solved", "running")
    bench.solver.answer("b/c")
    bench.runner.advance()
    assert (bench.results("b"), bench.state("b")) == ("a:unsolved b:solved c:solved", "done")
    done = bench.store.get("b")
    assert (done.progress.solved, done.progress.unsolved, done.progress.invalid) == (2, 1, 0)
    assert (done.ended_ms, done.expires_ms) == (1_000_000, 1_060_000)


def test_a_wrong_line_is_answered_with_its_problem_and_the_others_are_solved(bench: Bench) -> None:
    bench.add("b", "xjunk", "", "a", '{"kind": "chess", "grid": "1"}', "{}")
    bench.runner.advance()
    bench.solver.answer("b/a")
    bench.runner.advance()
    assert bench.results("b") == "1:invalid_json a:solved 4:unknown_kind 5:invalid_request"
    assert bench.state("b") == "done"
    page = bench.metrics.page().decode()
    assert 'ponder_batch_lines_total{outcome="invalid"} 3.0' in page
    assert 'ponder_batches{state="done"} 1.0' in page


def test_lines_in_flight_are_bounded_and_shared_by_batches(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lines_in_flight=4)
    bench.add("a", *"12345678")
    bench.runner.advance()
    assert bench.solver.asked == ["a/1", "a/2", "a/3", "a/4"]
    bench.add("b", *"12345678")
    bench.runner.advance()
    assert len(bench.solver.waiting) == 4
    bench.solver.answer("a/1", "a/2")
    for _ in range(2):
        bench.runner.advance()
    assert sorted(bench.solver.waiting) == ["a/3", "a/4", "b/1", "b/2"]
    bench.close()


def test_so_many_batches_at_once_and_the_next_when_one_ends(bench: Bench) -> None:
    names = [f"b{i}" for i in range(BATCHES_AT_ONCE + 2)]
    for name in names:
        bench.add(name, "x1" if name == "b5" else "q")
    bench.runner.advance()
    assert [bench.state(name) for name in names] == ["running"] * 4 + ["queued"] * 2
    bench.solver.answer("b1/q")
    bench.runner.advance()
    bench.runner.advance()
    assert [bench.state(name) for name in names[:5]] == ["running", "done"] + ["running"] * 3


def test_after_a_kill_what_does_not_count_is_cut_off_and_solved_again(bench: Bench) -> None:
    bench.add("b", *"1234")
    bench.runner.advance()
    bench.solver.answer("b/1", "b/2")
    bench.runner.advance()
    before = bench.files.results("b").read_bytes()
    with bench.files.results("b").open("ab") as torn:
        torn.write(b'{"custom_id":"3","line":3,"resu')
    bench.restart()
    bench.runner.advance()
    assert bench.solver.asked == ["b/3", "b/4"]
    bench.solver.answer("b/3", "b/4")
    bench.runner.advance()
    assert bench.results("b") == "1:solved 2:solved 3:solved 4:solved"
    assert bench.files.results("b").read_bytes().startswith(before)
    assert bench.state("b") == "done"


def test_a_kill_between_the_results_and_the_database_answers_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add("b", *"12")
    bench.runner.advance()
    bench.solver.answer("b/1")
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "advance", refuse)
        patch.setattr(bench.store, "fail", refuse)
        with pytest.raises(StorageError):
            bench.runner.advance()
    assert bench.files.results("b").read_bytes().count(b"\n") == 1
    bench.restart()
    bench.runner.advance()
    bench.solver.answer("b/1", "b/2")
    bench.runner.advance()
    assert (bench.results("b"), bench.state("b")) == ("1:solved 2:solved", "done")


def refuse(*_: object) -> bool:
    raise StorageError("the disk is full")


def test_a_cancelled_batch_stops_and_its_answers_stay(bench: Bench) -> None:
    bench.add("b", *"123")
    bench.runner.advance()
    bench.solver.answer("b/1")
    bench.runner.advance()
    bench.store.cancel("b", 5, expires_ms=2_000_000)
    bench.solver.answer("b/2")
    bench.runner.advance()
    assert bench.solver.waiting["b/3"].cancelled()
    assert (bench.results("b"), bench.state("b")) == ("1:solved", "cancelled")


def test_a_deleted_batch_stops(bench: Bench) -> None:
    bench.add("b", "1")
    bench.runner.advance()
    bench.store.delete("b")
    bench.files.remove("b")
    bench.runner.advance()
    assert bench.solver.waiting["b/1"].cancelled()


def test_batches_are_deleted_when_their_time_is_over(bench: Bench) -> None:
    bench.add("a", "1")
    bench.add("b", "1")
    bench.runner.advance()
    bench.solver.answer("a/1")
    bench.runner.advance()
    bench.now_s += 59
    bench.runner.advance()
    assert bench.store.ids() == {"a", "b"}
    bench.now_s += 1
    bench.runner.advance()
    assert bench.store.ids() == {"b"}  # which has not ended
    assert not bench.files.results("a").exists()
    assert not bench.files.input("a").exists()


def test_a_line_whose_step_fails_is_tried_three_times(bench: Bench) -> None:
    bench.add("b", "1", "2")
    bench.runner.advance()
    for _ in range(3):
        bench.solver.fail("b/1", EngineFailedError())
        bench.runner.advance()
    bench.solver.answer("b/2")
    bench.runner.advance()
    assert bench.solver.asked == ["b/1", "b/2", "b/1", "b/1"]
    assert bench.results("b") == "1:engine_failed 2:solved"


def test_lines_of_a_size_that_is_given_up_wait_until_it_works(bench: Bench) -> None:
    bench.add("b", "1")
    bench.runner.advance()
    for _ in range(5):
        bench.solver.fail("b/1", EngineDownError("sudoku-4x4", retry_after_s=2.0))
        bench.runner.advance()
        assert bench.solver.waiting == {}
        bench.now_s += 2
        bench.runner.advance()
    bench.solver.answer("b/1")
    bench.runner.advance()
    assert bench.results("b") == "1:solved"


@pytest.mark.parametrize("when", ["while a line works", "when a line is handed over"])
def test_a_solver_that_stops_leaves_the_rest_for_the_next_start(bench: Bench, when: str) -> None:
    bench.add("b", *"123")
    bench.add("c", "1")
    bench.runner.advance()
    bench.solver.answer("b/1")
    if when == "while a line works":
        bench.solver.fail("b/2", WorkerClosedError())
    else:
        bench.solver.fail("b/2", EngineFailedError())
        bench.solver.refuses = DrainingError()
    bench.runner.advance()
    assert (bench.results("b"), bench.state("b")) == ("1:solved", "running")
    bench.restart()
    bench.runner.advance()
    assert bench.solver.asked == ["b/2", "b/3", "c/1"]


@pytest.mark.parametrize("file", ["input", "results"])
def test_a_file_that_is_gone_fails_its_batch_and_no_other(bench: Bench, file: str) -> None:
    bench.add("a", "1")
    bench.add("b", "1")
    (bench.files.input("a") if file == "input" else bench.files.results("a")).unlink()
    bench.runner.advance()
    bench.solver.answer("b/1")
    bench.runner.advance()
    assert (bench.state("a"), bench.state("b")) == ("failed", "done")
    problem = json.loads(bench.store.get("a").problem or "")
    assert problem["code"] == "storage_failed"
    assert "No such file" in problem["detail"]


def test_results_that_were_cut_by_somebody_fail_their_batch(bench: Bench) -> None:
    bench.add("b", *"12")
    bench.runner.advance()
    bench.solver.answer("b/1")
    bench.runner.advance()
    bench.files.results("b").write_bytes(b"")
    bench.restart()
    bench.runner.advance()
    assert bench.state("b") == "failed"
    assert "expected" in (bench.store.get("b").problem or "")


def test_lines_that_were_cut_by_somebody_fail_their_batch(bench: Bench) -> None:
    bench.add("b", *"12")
    bench.files.input("b").write_text(ask("1"))
    bench.runner.advance()
    bench.solver.answer("b/1")
    bench.runner.advance()
    assert bench.state("b") == "failed"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_fails_the_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add("b", "1")
    bench.runner.advance()
    run = bench.runner._runs["b"]
    with run._results, Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(run, "_results", full)
        bench.solver.answer("b/1")
        bench.runner.advance()
    problem = json.loads(bench.store.get("b").problem or "")
    assert problem["code"] == "storage_failed"
    assert "No space left" in problem["detail"]


def test_a_failure_that_the_database_cannot_take_is_told_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add("b", "1")
    bench.files.input("b").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "fail", refuse)
        for _ in range(2):
            with pytest.raises(StorageError):
                bench.runner.advance()
    assert bench.state("b") == "running"
    bench.runner.advance()
    assert bench.state("b") == "failed"


def test_a_bug_ends_one_batch_and_not_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add("a", "1")
    bench.add("b", "1")
    bench.runner.advance()
    monkeypatch.setattr(bench.runner._runs["a"], "fill", None)
    bench.solver.answer("b/1")
    bench.runner.advance()
    assert (bench.state("a"), bench.state("b")) == ("failed", "done")
    assert json.loads(bench.store.get("a").problem or "")["code"] == "internal_error"


def test_the_thread_stores_what_is_answered_before_it_ends(bench: Bench) -> None:
    bench.add("b", *"12")
    bench.runner.advance()
    bench.solver.answer("b/1")
    bench.runner.start()
    bench.runner.close()
    assert (bench.results("b"), bench.state("b")) == ("1:solved", "running")
    assert bench.solver.waiting["b/2"].cancelled()


def test_the_thread_works_until_nothing_is_left_without_being_told(bench: Bench) -> None:
    names = [f"b{i}" for i in range(2 * BATCHES_AT_ONCE + 1)]
    for name in names:
        bench.add(name, "xjunk")
    bench.runner.start()
    until_s = time.monotonic() + 10
    while bench.store.by_state()["done"] < len(names):
        assert time.monotonic() < until_s
    bench.runner.close()
