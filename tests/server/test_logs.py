"""What a line in the log looks like, to people and to machines."""

import io
import json
import logging
import math
import re
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from server.logs import FORMATTERS
from server.request_context import begin_request
from server.settings import LogFormat

RFC_3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
FORGED = "gone\n2026-01-01T00:00:00.000Z INFO server.app: all is well \x1b[2K\u2028"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that nobody else hears."""
    found = logging.getLogger("tests.logs")
    found.propagate = False
    found.setLevel(logging.INFO)
    yield found
    found.handlers.clear()


@pytest.fixture
def listen(logger: logging.Logger) -> Callable[[LogFormat], io.StringIO]:
    """Where the logger's lines go from now on."""

    def listen(format_: LogFormat) -> io.StringIO:
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(FORMATTERS[format_]())
        logger.addHandler(handler)
        return stream

    return listen


Listen = Callable[[LogFormat], io.StringIO]


def test_a_text_line_has_a_time_in_utc_a_level_a_logger_an_event_and_fields(
    logger: logging.Logger, listen: Listen
) -> None:
    stream = listen("text")
    logger.info("lane open", extra={"puzzle": "sudoku-4x4", "slots": 8, "why": "asked to"})
    line = r'INFO tests\.logs: lane open puzzle=sudoku-4x4 slots=8 why="asked to"'
    assert re.fullmatch(f"{RFC_3339} {line}\n", stream.getvalue())


def test_a_json_line_has_the_same_by_name(logger: logging.Logger, listen: Listen) -> None:
    stream = listen("json")
    logger.warning("disk %s", "full", extra={"path": Path("a/b"), "share": math.nan, "rows": [1]})
    entry = json.loads(stream.getvalue())
    assert re.fullmatch(RFC_3339, entry.pop("time"))
    assert entry == {
        "level": "warning",
        "logger": "tests.logs",
        "message": "disk full",
        "fields": {"path": "a/b", "share": "nan", "rows": [1]},
    }


@pytest.mark.parametrize("format_", ["text", "json"])
def test_what_a_client_sent_cannot_begin_a_line_of_its_own(
    format_: LogFormat, logger: logging.Logger, listen: Listen
) -> None:
    stream = listen(format_)
    logger.info("path %s", FORGED, extra={"path": FORGED})
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().rstrip("\n").isprintable()


def test_an_exception_in_text_is_indented_however_its_message_reads(
    logger: logging.Logger, listen: Listen
) -> None:
    stream = listen("text")
    _log_failure(logger)
    first, *others = stream.getvalue().splitlines()
    assert first.endswith("ERROR tests.logs: it failed")
    assert others[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_an_exception_in_json_is_a_field_of_its_line(
    logger: logging.Logger, listen: Listen
) -> None:
    stream = listen("json")
    _log_failure(logger)
    [line] = stream.getvalue().splitlines()
    exception = json.loads(line)["exception"]
    assert exception.startswith("Traceback")
    assert exception.endswith(f"ValueError: {FORGED}")


def _log_failure(logger: logging.Logger) -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("it failed")


def test_records_of_a_request_carry_its_id_and_others_do_not(
    logger: logging.Logger, listen: Listen
) -> None:
    stream = listen("json")

    def within_a_request() -> Any:
        begin_request(b"from-the-proxy")
        logger.info("inside")

    copy_context().run(within_a_request)
    logger.info("outside")
    inside, outside = map(json.loads, stream.getvalue().splitlines())
    assert inside["request_id"] == "from-the-proxy"
    assert "request_id" not in outside
