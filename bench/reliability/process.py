"""A server of our own on 127.0.0.1, as a process that can be watched and signalled."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

START_S = 120.0
MIB = 2**20


class TrialError(Exception):
    """A trial that cannot run: the server did not start, or the machine lacks something."""


@final
@dataclass(frozen=True)
class ServerProcess:
    """A running `ponder serve`."""

    process: subprocess.Popen[str]
    host: str
    port: int

    def resident_mib(self) -> float:
        """Memory of the process. Raises: TrialError where the kernel does not tell."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError) as error:
            raise TrialError(f"the server's memory cannot be read: {error}") from error
        return pages * os.sysconf("SC_PAGE_SIZE") / MIB

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def ended(self, within_s: float) -> int | None:
        """The exit status, None if it still runs after so long."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None


@contextmanager
def served(flags: Sequence[str]) -> Iterator[ServerProcess]:
    """A server with these flags on a free port, until the block ends.

    Raises: TrialError if it does not start.
    """
    own = ("--port", "0", "--batches", "false")  # as many servers as one likes
    command = [sys.executable, "-m", "cli", "serve", *own, *flags]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and flags)
            command, stderr=log, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
        try:
            host, port = _address(process, log.fileno())
            yield ServerProcess(process, host, port)
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[str], log: int) -> tuple[str, int]:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        said = os.pread(log, 1 << 20, 0).decode(errors="replace")
        if found := re.search(r"serving url=http://([\d.]+):(\d+)", said):
            return found[1], int(found[2])
        if process.poll() is not None:
            raise TrialError(f"the server did not start: {said.strip()}")
        time.sleep(0.05)
    raise TrialError(f"the server did not start within {START_S:g} seconds")
