"""The servers that `bench http` compares, each started as a process of its own on 127.0.0.1."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from bench.reliability.process import served
from bench.report import BenchError
from server.policy import Budget

START_S = 120.0
Peer = Literal["litserve-fixed", "litserve-halted", "fastapi"]


@dataclass(frozen=True)
class Running:
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True)
class Served:
    """What all contenders serve. runtime: an engine's name (`bench.engines`)."""

    bundle: Path
    puzzle: str
    runtime: str
    threads: int
    slots: int
    budget: Budget


@dataclass(frozen=True)
class Contender(ABC):
    """A server that can be started."""

    name: str
    serves: Served

    @property
    @abstractmethod
    def takes_batches(self) -> bool:
        """Whether it has the batch endpoint."""

    @abstractmethod
    def running(self) -> AbstractContextManager[Running]:
        """The server, ready, until the block ends. Raises: BenchError, TrialError."""


@final
class Ponder(Contender):
    """This project's server."""

    @property
    def takes_batches(self) -> bool:
        return True

    @contextmanager
    def running(self) -> Iterator[Running]:
        serves = self.serves
        runtime, precision = serves.runtime.split()
        flags = {
            "bundle": serves.bundle,
            "runtime": runtime,
            "precision": precision,
            "threads": serves.threads,
            "slots": serves.slots,
            "max-steps": serves.budget.max_steps,
            "attempts": serves.budget.attempts,
        }
        with served([f"--{name}={value}" for name, value in flags.items()]) as process:
            yield Running(process.host, process.port)


@final
@dataclass(frozen=True)
class OtherServer(Contender):
    """One of `bench.http_peers`."""

    peer: Peer

    @property
    def takes_batches(self) -> bool:
        return False

    @contextmanager
    def running(self) -> Iterator[Running]:
        serves, at = self.serves, Running("127.0.0.1", _free_port())
        command = [
            *(sys.executable, "-m", "bench.http_peers", self.peer),
            *("--bundle", str(serves.bundle), "--puzzle", serves.puzzle),
            *("--runtime", serves.runtime, "--threads", str(serves.threads)),
            *("--slots", str(serves.slots), "--max-steps", str(serves.budget.max_steps)),
            *("--port", str(at.port)),
        ]
        with tempfile.TemporaryFile("w+") as log:
            # In a session of its own: LitServe has processes below it, which must end with it.
            process = subprocess.Popen(  # noqa: S603 (our own interpreter and flags)
                command, stdout=log, stderr=log, text=True, start_new_session=True
            )
            try:
                _await_health(process, at, log.fileno())
                yield at
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_health(process: subprocess.Popen[str], at: Running, log: int) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{at.url}/health", timeout=5):  # noqa: S310 (http)
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    said = os.pread(log, 1 << 20, 0).decode(errors="replace").strip()
    raise BenchError(f"{at.url} did not start: {said[-1000:] or 'it said nothing'}")
