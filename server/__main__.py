"""`python -m server` is `ponder serve`: the settings are flags, or PONDER_… in the environment."""

import sys
from collections.abc import Sequence

from pydantic import ValidationError

from export.manifest import BundleError
from server.batches.errors import BatchDirectoryError
from server.disk import StorageError
from server.logs import set_up_logging
from server.security.keys import KeyFileError
from server.security.opening import NoKeysError
from server.serving import AddressError, serve
from server.settings import KeysOnCommandLineError, read_settings
from server.tasks.errors import TaskDirectoryError
from server.trace_export import TracingUnavailableError


def main(arguments: Sequence[str]) -> int:
    """Serve until stopped; 2, and one line on standard error, if the server cannot start."""
    try:
        settings = read_settings(arguments)
        set_up_logging(settings.log_level, settings.log_format)
        serve(settings)
    except ValidationError as error:
        wrong = [".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()]
        return _failed("; ".join(text.removeprefix(": ") for text in wrong))
    except (
        AddressError,
        KeyFileError,
        KeysOnCommandLineError,
        NoKeysError,
        BundleError,
        BatchDirectoryError,
        TaskDirectoryError,
        StorageError,
        TracingUnavailableError,
    ) as error:
        return _failed(str(error))
    return 0


def _failed(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
