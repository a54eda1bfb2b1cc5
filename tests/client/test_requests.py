"""What is sent: grids in any form, options, ids, keys, uploads; and who offers to send it."""

import gzip
import inspect
import json
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from client import AsyncPonder, InvalidInputError, Ponder
from client.async_client import AsyncBatches, AsyncTasks
from client.encoding import plain_rows
from client.requests import SubmitOptions, submit_call
from client.sync_client import Batches, Tasks
from client.uploads import PIECE_BYTES, Upload
from tests.client.fakes import Script, problem, solved

PAIR = {"input": [[1, 2]], "output": [[2, 1]]}
NOT_FOUND = problem(404, "unknown_batch")


def sent(script: Script) -> Any:
    return json.loads(script.asked[-1].content)


@pytest.mark.parametrize(
    "grid", [[[0, 1], [1, 0]], ((0, 1), (1, 0)), np.array([[0, 1], [1, 0]], np.uint8)]
)
def test_rows_of_any_integers_are_sent_as_rows(grid: Any) -> None:
    script = Script(solved())
    with script.ponder() as ponder:
        ponder.solve(grid, effort=None, max_steps=3)
    assert sent(script) == {"kind": "sudoku", "grid": [[0, 1], [1, 0]], "max_steps": 3}


def test_text_is_sent_as_it_is_and_what_is_no_integer_is_left_to_the_server() -> None:
    assert plain_rows("1..4") == "1..4"
    assert plain_rows([[1.5, "x", None, True], 7, "ab"]) == [[1.5, "x", None, True], 7, "ab"]


def test_what_json_cannot_say_is_refused_before_it_is_sent() -> None:
    with Script().ponder() as ponder:
        for grid in ([[float("nan")]], [[object()]]):
            with pytest.raises(InvalidInputError, match="cannot be sent as JSON"):
                ponder.solve(grid)  # type: ignore[arg-type,list-item]


def test_a_task_is_told_by_one_of_two() -> None:
    with Script().ponder() as ponder:
        with pytest.raises(InvalidInputError, match="either `task`"):
            ponder.solve_task([[[1]]])
        with pytest.raises(InvalidInputError, match="a demonstration is"):
            ponder.solve_task([[[1]]], train=["x"])  # type: ignore[list-item]


def test_a_task_is_told_with_its_questions() -> None:
    script = Script(problem(404, "unknown_task"))
    with script.ponder() as ponder, pytest.raises(Exception, match="unknown_task"):
        ponder.solve_task([np.eye(2, dtype=np.uint8)], train=[PAIR], views=2)
    expected = {"kind": "arc", "test": [[[1, 0], [0, 1]]], "train": [PAIR], "views": 2}
    assert sent(script) == expected


def test_an_id_stays_one_part_of_the_path() -> None:
    script = Script(NOT_FOUND)
    with script.ponder() as ponder:
        with pytest.raises(Exception, match="unknown_batch"):
            ponder.batches.get("../tasks?x")
        for none in ("", ".", ".."):
            with pytest.raises(InvalidInputError, match="is no id"):
                ponder.batches.get(none)
    assert script.asked[0].url.raw_path == b"/v1/batches/..%2Ftasks%3Fx"


def test_url_and_key_come_from_the_environment_unless_they_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script(NOT_FOUND, NOT_FOUND)
    monkeypatch.setenv("PONDER_URL", "http://there:1/under/")
    monkeypatch.setenv("PONDER_API_KEY", "secret")
    for arguments in ((), ("http://here", "other")):
        ponder = Ponder(*arguments, transport=httpx2.MockTransport(script))
        with ponder, pytest.raises(Exception, match="unknown_batch"):
            ponder.batches.get("b")
    assert [str(request.url) for request in script.asked] == [
        "http://there:1/under/v1/batches/b",
        "http://here/v1/batches/b",
    ]
    keys = [request.headers["Authorization"] for request in script.asked]
    assert keys == ["Bearer secret", "Bearer other"]


def test_what_no_header_can_hold_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="the API key"):
        Ponder("http://here", "a\nb")
    with Script().ponder() as ponder, pytest.raises(InvalidInputError, match="no header can hold"):
        ponder.batches.submit(["1"], idempotency_key="schlüssel€")


@pytest.mark.parametrize("url", ["foo", "ftp://host", "http://", "http://host:port"])
def test_a_place_that_is_no_server_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidInputError):
        Ponder(url)


def upload(source: Any, **options: Any) -> Upload:
    call = submit_call(source, {}, SubmitOptions(**options), lambda: "key")
    assert isinstance(call.body, Upload)
    return call.body


def test_a_file_is_sent_as_it_lies_with_its_length_or_packed_on_the_way(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    lines = b'{"grid": "1"}\n' * 50_000
    plain.write_bytes(lines)
    packed.write_bytes(gzip.compress(lines))
    heard: list[int] = []
    told = upload(plain, progress=heard.append)
    assert b"".join(told.pieces()) == lines
    assert heard == [PIECE_BYTES, 2 * PIECE_BYTES, len(lines)]
    assert told.headers["Content-Length"] == str(len(lines))
    on_the_way = upload(plain, gzip=True)
    assert gzip.decompress(b"".join(on_the_way.pieces())) == lines
    assert "Content-Length" not in on_the_way.headers
    for body in (on_the_way, upload(str(packed)), upload(packed, gzip=True)):
        assert gzip.decompress(b"".join(body.pieces())) == lines
        assert body.headers["Content-Encoding"] == "gzip"


def test_a_file_that_is_not_there_and_options_that_a_file_cannot_have_are_refused(
    tmp_path: Path,
) -> None:
    with Script().ponder() as ponder:
        with pytest.raises(InvalidInputError, match="No such file"):
            ponder.batches.submit(tmp_path / "none.jsonl")
        with pytest.raises(InvalidInputError, match="effort cannot be given"):
            ponder.batches.submit(tmp_path / "none.jsonl", puzzle={"effort": "low"})


@pytest.mark.parametrize(
    ("plain", "awaited"), [(Ponder, AsyncPonder), (Tasks, AsyncTasks), (Batches, AsyncBatches)]
)
def test_both_clients_offer_the_same(plain: type, awaited: type) -> None:
    def offered(kind: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {
            name.replace("aclose", "close"): [*inspect.signature(method).parameters]
            for name, method in methods
            if not name.startswith("_")
        }

    assert offered(plain) == offered(awaited)
