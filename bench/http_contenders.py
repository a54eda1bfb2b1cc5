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
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, final

from bench.reliability.process import served
from bench.report import BenchError
from server.policy import Budget

START_S, END_S = 120.0, 10.0
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
    """What a contender serves. runtime: an engine's name (`bench.engines`)."""

    bundle: Path
    puzzle: str
    runtime: str
    threads: int
    slots: int
    budget: Budget


@dataclass(frozen=True)
class Contender(ABC):
    """A server that can be started; takes_batches: whether its batch endpoint is measured."""

    name: str
    serves: Served
    takes_batches: bool

    @abstractmethod
    def running(self) -> AbstractContextManager[Running]:
        """The server, ready, until the block ends. Raises: BenchError, TrialError."""


@final
@dataclass(frozen=True)
class Ponder(Contender):
    """This project's server."""

    @contextmanager
    def running(self) -> Iterator[Running]:
        serves = self.serves
        runtime, precision = serves.runtime.split()
        flags = {
            "bundle": serves.bundle,
            "runtime": runtime,
            "precision": precision,  # which onnxruntime does not ask for
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
    """One of `bench.peers`; it makes one attempt."""

    peer: Peer

    @contextmanager
    def running(self) -> Iterator[Running]:
        serves, at = self.serves, Running("127.0.0.1", _free_port())
        command = [
            *(sys.executable, "-m", "bench.peers", self.peer),
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
                _end(process)


def all_contenders(ours: Served, theirs: Served, whole: Budget) -> list[Contender]:
    """The server as it is and with its `whole` budget, and beside its peers on their engine.

    ours, theirs: with the same budget of one attempt. Raises: BenchError without LitServe.
    """
    if find_spec("litserve") is None:
        raise BenchError("bench http needs LitServe: pip install -e '.[bench]'")
    steps = f"{theirs.budget.max_steps} steps"
    same_engine = [] if ours.runtime == theirs.runtime else [Ponder("ponder", theirs, False)]
    return [
        Ponder("ponder", ours, takes_batches=True),
        Ponder(
            f"ponder, {whole.max_steps} x {whole.attempts}",
            replace(ours, budget=whole),
            takes_batches=False,
        ),
        *same_engine,
        OtherServer(f"LitServe, {steps}", theirs, False, "litserve-fixed"),
        OtherServer("LitServe, until all halted", theirs, False, "litserve-halted"),
        OtherServer("FastAPI, one by one", theirs, False, "fastapi"),
    ]


def _end(process: subprocess.Popen[str]) -> None:
    """End it and what it started; the next contender must find the cores free."""
    until_s = time.monotonic() + END_S
    with suppress(ProcessLookupError):  # once there is none left
        os.killpg(process.pid, signal.SIGKILL)
        while process.wait() and time.monotonic() < until_s:
            os.killpg(process.pid, 0)
            time.sleep(0.02)


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
