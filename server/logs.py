"""Log lines for people and machines: time, level, event, then its fields as key=value."""

import logging
import sys
from typing import final

from server.settings import LogLevel

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


@final
class FieldFormatter(logging.Formatter):
    """Adds what was given as `extra=` to the line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """The line with its fields."""
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        return " ".join([super().formatMessage(record), *(f"{k}={v}" for k, v in fields.items())])


def set_up_logging(level: LogLevel) -> None:
    """Send everything to standard error; uvicorn speaks only of what goes wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
