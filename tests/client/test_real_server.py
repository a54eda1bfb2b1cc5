"""Both clients against a server process: what fakes may get wrong."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from client import (
    NO_RETRIES,
    AsyncPonder,
    ConnectionFailedError,
    Ponder,
    Problem,
    ProblemError,
    Solved,
    Started,
    Step,
    TimedOutError,
    TimeLimits,
)
from tests.client.conftest import ENDLESS, FOUR, IMPOSSIBLE

EASY = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
DEADLINE_S = 20.0


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it never came"


def idle(ponder: Ponder) -> bool:
    page = ponder._http.get("/metrics").text
    return 'ponder_slots_active{puzzle="sudoku-9x9"} 0.0' in page


def test_a_puzzle_is_solved_with_its_options(ponder: Ponder) -> None:
    solved = ponder.solve(EASY, effort="low")
    assert (solved.status, solved.verified) == ("solved", True)
    assert solved.solution is not None
    assert solved.solution[0] == (5, 3, 4, 6, 7, 8, 9, 1, 2)
    unsolved = ponder.solve(IMPOSSIBLE, max_steps=2, attempts=1)
    assert (unsolved.is_solved, unsolved.steps, unsolved.stopped_by) == (False, 2, "max_steps")


def test_a_wrong_grid_names_its_cells(ponder: Ponder) -> None:
    with pytest.raises(ProblemError) as caught:
        ponder.solve([[1, 1, 0, 0], [0] * 4, [0] * 4, [0] * 4])
    assert caught.value.code == "invalid_grid"
    assert {(fault.row, fault.column) for fault in caught.value.errors} == {(1, 2)}


def test_many_come_from_several_requests_at_once(ponder: Ponder) -> None:
    puzzles = [FOUR] * 30 + ["wrong"]
    got = dict(ponder.solve_many(iter(puzzles), per_request=7))
    assert sorted(got) == list(range(31))
    assert all(isinstance(got[index], Solved) for index in range(30))
    assert isinstance(got[30], Problem)


def test_a_loop_that_is_left_frees_the_slots(ponder: Ponder) -> None:
    some = ponder.solve_many([FOUR, *[ENDLESS] * 8], per_request=3)
    assert next(some)[0] == 0
    until(lambda: not idle(ponder))
    some.close()
    until(lambda: idle(ponder))


def test_a_puzzle_is_watched_step_by_step(ponder: Ponder) -> None:
    started, *steps, result = ponder.watch(EASY, effort="low")
    assert isinstance(started, Started)
    assert (started.kind, started.max_steps) == ("sudoku", 16)
    assert isinstance(result, Solved)
    assert result.is_solved
    assert [step.step for step in steps if isinstance(step, Step)] == [*range(1, result.steps + 1)]


def test_watching_that_is_left_frees_the_slot(ponder: Ponder) -> None:
    watched = ponder.watch(IMPOSSIBLE, max_steps=1024, attempts=2048)
    assert isinstance(next(watched), Started)
    assert isinstance(next(watched), Step)
    watched.close()
    until(lambda: idle(ponder))


def test_an_event_loop_does_the_same(url: str, ponder: Ponder, tmp_path: Path) -> None:
    async def everything() -> None:
        async with AsyncPonder(url) as client:
            one, two = await asyncio.gather(client.solve(FOUR), client.solve(EASY))
            assert one.is_solved
            assert two.is_solved
            got = {i: what async for i, what in client.solve_many([FOUR] * 9, per_request=2)}
            assert sorted(got) == list(range(9))
            batch = await client.batches.submit([FOUR] * 5, gzip=True)
            await client.batches.wait(batch.id, every_s=0.1)
            lines = [line async for line in client.batches.results(batch.id)]
            assert [line.line for line in lines] == [1, 2, 3, 4, 5]
            done = await client.batches.download(batch.id, tmp_path / "out.jsonl")
            assert done.complete
            some = client.solve_many([FOUR, ENDLESS], per_request=1)
            await anext(some)
            await some.aclose()

    asyncio.run(everything())
    until(lambda: idle(ponder))


def test_a_batch_from_a_file_to_its_end(ponder: Ponder, tmp_path: Path) -> None:
    path = tmp_path / "puzzles.jsonl"
    path.write_text(f'{{"kind": "sudoku", "grid": "{FOUR}", "custom_id": "one"}}\n{{"kind": 1}}\n')
    batch = ponder.batches.submit(path, name="file", idempotency_key="file-1")
    assert ponder.batches.submit(path, idempotency_key="file-1").id == batch.id
    assert ponder.batches.list(limit=1).batches[0].name == "file"
    one, two = ponder.batches.results(batch.id, follow=True, every_s=0.1)
    assert one.result is not None
    assert (one.custom_id, one.result.status) == ("one", "solved")
    assert two.problem is not None
    assert two.problem.code == "invalid_request"
    raw = b"".join(ponder.batches.results_bytes(batch.id, start_byte=10))
    assert raw.count(b"\n") == 2
    ponder.batches.delete(batch.id)
    with pytest.raises(ProblemError, match="unknown_batch"):
        ponder.batches.get(batch.id)


def test_a_batch_is_cancelled(ponder: Ponder, endless: str) -> None:
    with pytest.raises(TimedOutError):
        ponder.batches.wait(endless, timeout_s=0.1, every_s=0.1)
    assert ponder.batches.cancel(endless).state == "cancelled"


def test_known_tasks_are_listed_and_asked(ponder: Ponder) -> None:
    assert "3618c87e" in ponder.tasks.list().tasks
    assert ponder.tasks.get("3618c87e").has_ended
    answer = ponder.solve_task([[[0, 0, 0], [0, 1, 0], [5, 5, 5]]], task="3618c87e", views=2)
    assert (answer.results[0].views, answer.verified) == (2, None)
    with pytest.raises(ProblemError, match="task_in_bundle"):
        ponder.tasks.delete("3618c87e")


def test_the_server_tells_what_it_is(ponder: Ponder) -> None:
    assert ponder.ready().is_ready
    names = [model.name for model in ponder.models().models]
    assert names == ["sudoku-lattice-d32", "arc-small-cpu"]
    engine = ponder.engine()
    assert engine.state == "ready"
    assert {lane.slots for lane in engine.lanes} == {4}


def test_nobody_at_an_address_and_no_answer_in_time_are_told_apart(url: str) -> None:
    with Ponder(url, limits=TimeLimits(read_s=0.05)) as hasty, pytest.raises(TimedOutError):
        hasty.solve(IMPOSSIBLE, max_steps=200, attempts=1)
    lost = Ponder("http://127.0.0.1:9", retries=NO_RETRIES)
    with lost, pytest.raises(ConnectionFailedError) as caught:
        lost.ready()
    assert not caught.value.sent
