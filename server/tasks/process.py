"""Learning a task in a process of its own: torch never comes into the server.

The process ends with this one, whatever happens, since its standard input does; it writes what it
learnt aside and renames it, so that nothing of it is ever half there.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import final

from pydantic import ValidationError

from kernel.lattice import usable_cores
from server.settings import Settings
from server.tasks.directory import Registration, TaskDirectory
from server.tasks.schemas import TaskProgress

API_KEYS = "PONDER_API_KEYS"  # in the environment of a server; nobody else's business
LAST_WORDS = 500  # characters of what it said last, for the one who asks why it failed
Command = Callable[[Registration], Sequence[str]]


def adapting_command(
    settings: Settings, directory: TaskDirectory, bundle_of: Callable[[str], Path]
) -> Command:
    """How the learning process is started. bundle_of: by a model's name."""
    # Solving goes on meanwhile, and wants a core.
    threads = settings.adapt_threads or max(1, usable_cores() - 1)

    def command(asked: Registration) -> Sequence[str]:
        options = {
            "--name": asked.id,
            "--minutes": f"{asked.minutes:g}",
            "--tries": str(asked.tries),
            "--side": str(asked.side or 0),
            "--what": asked.what,
            "--device": settings.adapt_device,
            "--threads": str(threads),
        }
        return [
            *(sys.executable, "-m", "cli", "adapt-job"),
            *(str(bundle_of(asked.model)), str(directory.task(asked.id))),
            str(directory.bundle(asked.id)),
            *(part for option in options.items() for part in option),
        ]

    return command


@final
class AdaptationProcess:
    """One task's learning; a context manager that kills it."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        """Start it. log: where its standard error goes. Raises: OSError."""
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={name: value for name, value in os.environ.items() if name != API_KEYS},
                start_new_session=True,  # a Ctrl-C in the terminal is for the server alone
            )

    def __enter__(self) -> "AdaptationProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def kill(self) -> None:
        """End it now; from any thread."""
        self._process.kill()

    def progress(self) -> Iterator[TaskProgress]:
        """What it says, as it says it, until it ends; lines that are no progress are left out."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                yield TaskProgress.model_validate_json(line)
            except ValidationError:  # a library that prints
                continue

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self._process.wait()

    def last_words(self) -> str:
        """The last line on its standard error."""
        lines = self._log.read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:LAST_WORDS] if said else "it said nothing"
