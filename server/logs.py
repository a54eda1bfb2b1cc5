"""Log lines for people or for machines. Neither can be forged by what a client sends.

Both say when (RFC 3339, UTC), how bad, who, what, for which request, and with which fields: those
given as `extra=`.
"""

import json
import logging
import math
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, final

from server.request_context import current_request_id
from server.settings import LogFormat, LogLevel

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_NEEDS_QUOTES = frozenset(' "=')


@final
class TextFormatter(logging.Formatter):
    """`TIME LEVEL LOGGER: EVENT key=value …` on one line; lines of an exception are indented.

    Control characters are escaped, so that a line that begins with a time is a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        event = f"{_time(record)} {record.levelname} {record.name}: {_escaped(record.getMessage())}"
        fields = _fields(record)
        request_id = current_request_id()
        if request_id is not None:
            fields = {"request_id": request_id, **fields}
        line = " ".join([event, *(f"{key}={_value(value)}" for key, value in fields.items())])
        exception = _exception(self, record)
        if exception is None:
            return line
        return "\n".join([line, *(f"    {_escaped(part)}" for part in exception.splitlines())])


@final
class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = current_request_id()
        if request_id is not None:
            entry["request_id"] = request_id
        if fields := _fields(record):
            entry["fields"] = {key: _json_value(value) for key, value in fields.items()}
        exception = _exception(self, record)
        if exception is not None:
            entry["exception"] = exception
        return json.dumps(entry, default=str)


def set_up_logging(level: LogLevel, format_: LogFormat = "text") -> None:
    """Send everything to standard error; uvicorn speaks only of what goes wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATTERS[format_]())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))


FORMATTERS: Mapping[LogFormat, type[logging.Formatter]] = {
    "text": TextFormatter,
    "json": JsonFormatter,
}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts) or None


def _value(value: object) -> str:
    """A field's value; in quotes if it could be taken for more than one."""
    text = _escaped(str(value))
    return json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES & set(text) else text


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _json_value(value: object) -> object:
    """JSON knows no infinity and no NaN."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
