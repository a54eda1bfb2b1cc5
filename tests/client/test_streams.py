"""Answers that come bit by bit: read as they come, and gone on with where they are cut off."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from client import (
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    Problem,
    ProblemError,
    ResultsMismatchError,
    Solved,
    Started,
    Step,
)
from client.results_file import COMPARED_BYTES
from tests.client.fakes import SOLVED, CutOff, Script, batch, events, problem

GRID = [[0, 1], [1, 0]]
STEP = {
    **{"attempt": 1, "step": 2, "attempt_step": 2, "grid": [[1, 2], [2, 0]]},
    **{"changed": [[1, 1]], "confidence": [[1.0, 0.5], [0.5, 0.5]], "halt_probability": 0.1},
    **{"verdict": "wrong", "assumed": [{"row": 1, "column": 1, "value": 1}]},
}
START = {
    **{"kind": "sudoku", "puzzle": "sudoku-2x2", "model": "by heart", "question": GRID},
    **{"max_steps": 16, "attempts": 4},
}
WRONG = {"type": "x", "title": "x", "status": 422, "code": "invalid_grid", "detail": "two 1s"}

Many = Callable[..., dict[int, Solved | Problem]]


def many(script: Script, puzzles: Any, **options: Any) -> dict[int, Solved | Problem]:
    with script.ponder() as ponder:
        return dict(ponder.solve_many(puzzles, **options))


def many_in_a_loop(script: Script, puzzles: Any, **options: Any) -> dict[int, Solved | Problem]:
    async def all_of_them() -> dict[int, Solved | Problem]:
        async with script.async_ponder() as ponder:
            return {i: what async for i, what in ponder.solve_many(puzzles, **options)}

    return asyncio.run(all_of_them())


both = pytest.mark.parametrize("ask", [many, many_in_a_loop])


def item(index: int, steps: int = 1) -> bytes:
    return json.dumps({"index": index, "result": SOLVED | {"steps": steps}}).encode() + b"\n"


def asked_items(request: httpx2.Request) -> list[Any]:
    items = json.loads(request.content)["items"]
    assert isinstance(items, list)
    return items


@both
def test_results_are_known_by_their_place_and_a_bad_one_fails_alone(ask: Many) -> None:
    bad = json.dumps({"index": 1, "result": None, "problem": WRONG}).encode() + b"\n"
    got = ask(Script(httpx2.Response(200, content=bad + item(2, 5) + item(0))), [GRID, "x", GRID])
    assert isinstance(got[1], Problem)
    assert got[1].code == "invalid_grid"
    assert isinstance(got[2], Solved)
    assert (list(got), got[2].steps) == ([1, 2, 0], 5)


@both
def test_many_puzzles_are_asked_in_parts(ask: Many) -> None:
    def echo(request: httpx2.Request) -> httpx2.Response:
        lines = [item(i, one["max_steps"]) for i, one in enumerate(asked_items(request))]
        return httpx2.Response(200, content=b"".join(lines))

    script = Script(*[echo] * 4)
    numbered = ({"grid": GRID, "max_steps": number} for number in range(10))
    got = ask(script, numbered, per_request=3, at_once=2, effort="low")
    assert {i: what.steps for i, what in got.items() if isinstance(what, Solved)} == {
        number: number for number in range(10)
    }
    assert sorted(len(asked_items(request)) for request in script.asked) == [1, 3, 3, 3]
    assert asked_items(script.asked[0])[0]["effort"] == "low"


@both
def test_what_was_cut_off_is_asked_again_without_what_is_there(ask: Many) -> None:
    first = httpx2.Response(200, stream=CutOff(item(1), item(2)[:20]))
    script = Script(first, httpx2.ConnectError("nobody"), httpx2.Response(200, content=item(1)
        + item(0)))  # fmt: skip
    puzzles = [{"grid": GRID, "max_steps": number} for number in (1, 2, 3)]
    assert sorted(ask(script, puzzles)) == [0, 1, 2]
    assert [one["max_steps"] for one in asked_items(script.asked[2])] == [1, 3]


@both
def test_a_request_that_is_refused_ends_all_of_it(ask: Many) -> None:
    with pytest.raises(ProblemError, match="401 unauthorized"):
        ask(Script(problem(401, "unauthorized")), [GRID])


@both
def test_an_error_of_whoever_makes_the_puzzles_comes_back(ask: Many) -> None:
    def broken() -> Any:
        yield GRID
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        ask(Script(), broken())


@pytest.mark.parametrize("line", [item(7), item(0) + item(0), b'{"index": 0}\n'])
def test_a_result_that_nobody_asked_for_is_malformed(line: bytes) -> None:
    with pytest.raises(MalformedResponseError, match="a result that is none"):
        many(Script(httpx2.Response(200, content=line)), [GRID])


@pytest.mark.parametrize("name", ["at_once", "per_request"])
def test_none_at_once_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} is 0"):
        many(Script(), [GRID], **{name: 0})


def test_watching_shows_every_step_and_the_result_last() -> None:
    told = [("start", START), ("news", "?"), ("step", STEP), ("result", SOLVED)]
    script = Script(events(*((name, json.dumps(data)) for name, data in told)))
    with script.ponder() as ponder:
        start, step, result = ponder.watch(GRID, effort="max")
    assert isinstance(start, Started)
    assert isinstance(step, Step)
    assert (step.step, step.grid, step.changed) == (2, ((1, 2), (2, 0)), ((1, 1),))
    assert isinstance(result, Solved)
    assert script.asked[0].headers["Accept"] == "text/event-stream"


def test_a_problem_ends_watching() -> None:
    script = Script(events(("problem", json.dumps(WRONG))))
    with script.ponder() as ponder, pytest.raises(ProblemError, match="422 invalid_grid"):
        list(ponder.watch(GRID))


def test_watching_that_is_cut_off_does_not_begin_again() -> None:
    head = {"Content-Type": "text/event-stream"}
    for answer in (events(), httpx2.Response(200, stream=CutOff(b"event: st"), headers=head)):
        with Script(answer).ponder() as ponder, pytest.raises(ConnectionFailedError):
            list(ponder.watch(GRID))


def test_a_server_that_sends_no_events_is_malformed() -> None:
    script = Script(httpx2.Response(200, json=SOLVED))
    expected = pytest.raises(MalformedResponseError, match="text/event-stream")
    with script.ponder() as ponder, expected:
        list(ponder.watch(GRID))


def result_line(number: int) -> bytes:
    # A line separator of Unicode's, which is none of JSON lines.
    line = {"custom_id": f"\u2028{number}", "line": number, "result": SOLVED, "problem": None}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


LINES = 20  # more than the 4 KiB of a file that are compared
WHOLE = b"".join(map(result_line, range(LINES)))


class StoredResults:
    """Results of a batch; every answer breaks off behind some bytes."""

    def __init__(self, grows: list[int], cut: int = len(WHOLE)) -> None:
        """grows: how many bytes there are at each request, the last number for ever."""
        self._grows = grows
        self._cut = cut

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        ended = self._grows == [len(WHOLE)]
        if not request.url.path.endswith("/results"):
            return batch(state="done" if ended else "running")
        size = self._grows.pop(0) if len(self._grows) > 1 else self._grows[0]
        asked = request.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        if start and start >= size:
            return problem(416, "no_such_range")
        headers = {"Ponder-Complete": "true" if size == len(WHOLE) else "false"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/*"
        sent, status = WHOLE[start : min(size, start + self._cut)], 206 if asked else 200
        if start + len(sent) < size:
            return httpx2.Response(status, headers=headers, stream=CutOff(sent))
        return httpx2.Response(status, headers=headers, content=sent)


def stored(*grows: int, cut: int = len(WHOLE)) -> Script:
    return Script(*[StoredResults(list(grows), cut)] * 40)


def test_results_go_on_at_the_byte_where_they_were_cut_off() -> None:
    script = stored(len(WHOLE), cut=1000)
    with script.ponder() as ponder:
        lines = list(ponder.batches.results("batch_1"))
    assert [line.custom_id for line in lines] == [f"\u2028{number}" for number in range(LINES)]
    ranges = [request.headers.get("Range") for request in script.asked]
    assert ranges[:3] == [None, "bytes=1000-", "bytes=2000-"]
    assert script.time.slept == []  # it got on every time


def test_results_that_never_get_on_are_given_up() -> None:
    broken = httpx2.Response(200, stream=CutOff())
    script = Script(*[broken] * 6)
    with script.ponder() as ponder, pytest.raises(ConnectionFailedError, match="broke"):
        list(ponder.batches.results("batch_1"))


def test_results_are_followed_to_the_end_of_the_batch() -> None:
    three = sum(len(result_line(number)) for number in range(3))
    script = stored(0, three, three, three, len(WHOLE))
    with script.ponder() as ponder:
        assert len(list(ponder.batches.results("batch_1", follow=True))) == LINES


def test_results_that_end_without_more_are_complete() -> None:
    class NothingMore(StoredResults):
        def __call__(self, request: httpx2.Request) -> httpx2.Response:
            answer = super().__call__(request)
            answer.headers.pop("Ponder-Complete", None)
            return answer

    script = Script(*[NothingMore([len(WHOLE)])] * 9)
    with script.ponder() as ponder:
        assert len(list(ponder.batches.results("batch_1", follow=True))) == LINES


def test_a_server_without_ranges_is_not_believed() -> None:
    whole = httpx2.Response(200, content=WHOLE)
    script = Script(httpx2.Response(200, stream=CutOff(WHOLE[:50])), whole)
    with script.ponder() as ponder, pytest.raises(MalformedResponseError, match="byte 50"):
        list(ponder.batches.results("batch_1"))


@pytest.mark.parametrize("there", [0, 1, 500, len(WHOLE)])
def test_a_file_of_results_goes_on_behind_what_it_holds(tmp_path: Path, there: int) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(WHOLE[:there])
    sizes: list[int] = []
    script = stored(len(WHOLE), cut=300)
    with script.ponder() as ponder:
        got = ponder.batches.download("batch_1", path, progress=sizes.append)
    assert path.read_bytes() == WHOLE
    start = max(0, there - COMPARED_BYTES)
    assert script.asked[0].headers.get("Range") == (f"bytes={start}-" if start else None)
    assert (got.complete, got.size_bytes, sizes[-1]) == (True, len(WHOLE), len(WHOLE))


def test_a_file_in_a_loop_is_the_same(tmp_path: Path) -> None:
    async def fetch() -> None:
        async with stored(len(WHOLE), cut=300).async_ponder() as ponder:
            await ponder.batches.download("batch_1", tmp_path / "out.jsonl")

    asyncio.run(fetch())
    assert (tmp_path / "out.jsonl").read_bytes() == WHOLE


@pytest.mark.parametrize(
    "held", [b"something else", WHOLE + b"more", WHOLE[:99] + b"x", WHOLE + 5000 * b"x"]
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, held: bytes) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(held)
    with stored(len(WHOLE)).ponder() as ponder, pytest.raises(ResultsMismatchError):
        ponder.batches.download("batch_1", path)
    assert path.read_bytes() == held
