"""When a client asks again, after how long, and what it says in the end."""

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from client import (
    NO_RETRIES,
    ConnectionFailedError,
    MalformedResponseError,
    ProblemError,
    Retries,
    Solved,
    TimedOutError,
)
from tests.client.fakes import Script, batch, problem, solved

GRID = [[0, 1], [1, 0]]


def solve(script: Script) -> Solved:
    with script.ponder() as ponder:
        return ponder.solve(GRID)


def solve_in_a_loop(script: Script) -> Solved:
    async def one() -> Solved:
        async with script.async_ponder() as ponder:
            return await ponder.solve(GRID)

    return asyncio.run(one())


@pytest.mark.parametrize("ask", [solve, solve_in_a_loop])
def test_waits_double_until_there_is_an_answer(ask: Callable[[Script], Solved]) -> None:
    broken = httpx2.RemoteProtocolError("left without a word")
    script = Script(httpx2.ConnectError("nobody"), broken, problem(503, "draining"), solved())
    assert ask(script).solution == ((1, 2), (2, 1))
    assert script.time.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("ask", [solve, solve_in_a_loop])
def test_an_error_that_stays_is_raised_in_the_end(ask: Callable[[Script], Solved]) -> None:
    script = Script(*[problem(503, "engine_down")] * 6)
    with pytest.raises(ProblemError, match="503 engine_down: so it is") as caught:
        ask(script)
    assert (caught.value.code, caught.value.status) == ("engine_down", 503)
    assert len(script.asked) == 6


@pytest.mark.parametrize(
    ("said", "waited"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        ("Wed, 31 Dec 2025 00:00:09 GMT", 0.0),
        ("3600", 30.0),
        ("soon", 0.5),
        ("-1", 0.5),
    ],
)
def test_retry_after_is_honoured_up_to_the_longest_wait(said: str, waited: float) -> None:
    script = Script(problem(429, "overloaded", Retry_After=said), solved())
    assert solve(script).is_solved
    assert script.time.slept == [waited]


def test_no_wait_goes_beyond_the_total_time() -> None:
    script = Script(problem(429, "overloaded", Retry_After="8"), solved())
    with script.ponder(Retries(total_s=8)) as ponder, pytest.raises(ProblemError) as caught:
        ponder.solve(GRID)
    assert caught.value.retry_after_s == 8
    assert script.time.slept == []


def test_an_answer_may_take_what_is_left_of_the_total_time() -> None:
    script = Script(problem(429, "overloaded", Retry_After="8"), solved())
    with script.ponder(Retries(total_s=20)) as ponder:
        ponder.solve(GRID)
    assert [request.extensions["timeout"]["read"] for request in script.asked] == [20, 12]


def test_who_wants_no_retries_gets_none() -> None:
    script = Script(httpx2.ConnectError("nobody"))
    with script.ponder(NO_RETRIES) as ponder, pytest.raises(ConnectionFailedError, match="nobody"):
        ponder.solve(GRID)


def test_what_is_wrong_is_not_asked_again_and_names_the_cells() -> None:
    body = {
        **{"type": "x", "title": "x", "status": 422, "code": "invalid_grid", "detail": "two 1s"},
        "errors": [{"detail": "two 1s", "row": 1, "column": 2}],
    }
    script = Script(httpx2.Response(422, json=body))
    with pytest.raises(ProblemError) as caught:
        solve(script)
    assert [(fault.row, fault.column) for fault in caught.value.errors] == [(1, 2)]
    assert caught.value.retry_after_s is None


def test_an_answer_that_takes_too_long_is_not_asked_for_again_a_connection_is() -> None:
    script = Script(httpx2.ConnectTimeout("late"), httpx2.ReadTimeout("later"))
    with pytest.raises(TimedOutError, match="no answer in time: later"):
        solve(script)
    assert len(script.asked) == 2


def test_a_proxys_page_is_a_problem_too() -> None:
    script = Script(httpx2.Response(404, html="<p>not\n here</p>"))
    with pytest.raises(ProblemError, match="404 http_404: <p>not here</p>"):
        solve(script)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx2.Response(200, html="<p>hello</p>"), "no Solved: Invalid JSON"),
        (httpx2.Response(200, json={"status": "solved"}), "no Solved: solution: Field required"),
        (solved(status="maybe"), "no Solved: status"),
    ],
)
def test_an_answer_of_another_kind_is_malformed(answer: httpx2.Response, said: str) -> None:
    with pytest.raises(MalformedResponseError, match=said):
        solve(Script(answer))


def test_fields_of_a_newer_server_are_passed_over() -> None:
    assert solve(Script(solved(colour="blue"))).steps == 3


def test_a_batch_is_handed_in_again_under_the_same_key() -> None:
    script = Script(httpx2.ReadError("gone"), batch())
    with script.ponder() as ponder:
        ponder.batches.submit([GRID])
    first, second = script.asked
    assert first.content == second.content == b'{"kind":"sudoku","grid":[[0,1],[1,0]]}\n'
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_puzzles_of_an_iterator_are_not_sent_twice() -> None:
    script = Script(httpx2.ReadError("gone"))
    with script.ponder() as ponder, pytest.raises(ConnectionFailedError):
        ponder.batches.submit(iter([GRID]))


def test_what_is_gone_when_asked_again_was_deleted() -> None:
    script = Script(httpx2.ReadError("gone"), problem(404, "unknown_batch"))
    with script.ponder() as ponder:
        ponder.batches.delete("batch_1")
    script = Script(problem(404, "unknown_batch"))
    with script.ponder() as ponder, pytest.raises(ProblemError, match="unknown_batch"):
        ponder.batches.delete("batch_1")


def test_not_ready_is_an_answer_and_asked_for_once() -> None:
    script = Script(httpx2.Response(503, json={"status": "draining"}))
    with script.ponder() as ponder:
        health = ponder.ready()
    assert (health.status, health.is_ready) == ("draining", False)


def test_waiting_tells_of_changes_and_ends_in_time() -> None:
    script = Script(batch(state="queued"), batch(), batch(), batch(state="done"))
    heard = []
    with script.ponder() as ponder:
        ended = ponder.batches.wait("batch_1", progress=lambda now: heard.append(now.state))
    assert ended.state == "done"
    assert heard == ["queued", "running", "done"]
    script = Script(*[batch()] * 4)
    with script.ponder() as ponder, pytest.raises(TimedOutError, match="within 3 s"):
        ponder.batches.wait("batch_1", timeout_s=3)
    assert script.time.slept == [1, 1, 1]
