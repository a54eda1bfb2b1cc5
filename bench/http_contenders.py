"""Servers that `bench http` compares, each started as a process of its own on 127.0.0.1."""

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
from typing import final

from bench.engines import Place
from bench.reliability.process import served
from bench.report import BenchError

START_S = 120.0
PEER_NAMES = {
    "litserve-fixed": "LitServe, 16 steps",
    "litserve-halted": "LitServe, until all halted",
    "fastapi": "FastAPI route",
}


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
class Contender(ABC):
    """A server that can be started; takes_batches: whether it has the batch endpoint."""

    name: str
    takes_batches: bool

    @abstractmethod
    def running(self) -> AbstractContextManager[Running]:
        """The server, ready, until the block ends. Raises: BenchError, TrialError."""


@final
@dataclass(frozen=True)
class Ponder(Contender):
    """This project's server, with these flags."""

    flags: tuple[str, ...]

    @contextmanager
    def running(self) -> Iterator[Running]:
        with served(self.flags) as process:
            yield Running(process.host, process.port)


@final
@dataclass(frozen=True)
class OtherServer(Contender):
    """One of `bench.http_peers`, with these arguments."""

    arguments: tuple[str, ...]

    @contextmanager
    def running(self) -> Iterator[Running]:
        at = Running("127.0.0.1", _free_port())
        command = [sys.executable, "-m", "bench.http_peers", *self.arguments, f"--port={at.port}"]
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


def all_contenders(
    bundle: Path, puzzle: str, max_steps: int, place: Place, slots: int, peer_runtime: str
) -> list[Contender]:
    """The server at a budget of one attempt, at its default, in onnxruntime; then its peers.

    peer_runtime: an engine's name (`bench.engines`). With the default budget it spends more steps
    on what one attempt does not solve: more answers, fewer a second.
    """
    common = (f"--bundle={bundle}", f"--threads={place.threads}", f"--slots={slots}")
    once = (*common, f"--max-steps={max_steps}", "--attempts=1")
    peers = (*common, f"--puzzle={puzzle}", f"--runtime={peer_runtime}", f"--max-steps={max_steps}")
    return [
        Ponder("ponder", takes_batches=True, flags=once),
        Ponder("ponder, whole budget", takes_batches=True, flags=common),
        Ponder("ponder, onnxruntime", takes_batches=True, flags=(*once, "--runtime=onnxruntime")),
        *(
            OtherServer(name, takes_batches=False, arguments=(peer, *peers))
            for peer, name in PEER_NAMES.items()
        ),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_health(process: subprocess.Popen[str], at: Running, log: int) -> None:
    """Raises: BenchError."""
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{at.url}/health", timeout=5):  # noqa: S310 (http)
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    said = os.pread(log, 1 << 20, 0).decode(errors="replace").strip()
    raise BenchError(f"{at.url} did not start: {said[-1000:] or 'it said nothing'}")
