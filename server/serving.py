"""A server process: a socket, a solver, uvicorn, and a way to end without dropping anybody."""

import asyncio
import gc
import logging
import math
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable
from types import FrameType
from typing import cast, final

import uvicorn

from server.app import create_app
from server.batches.service import Batches
from server.loaded import ReloadFailedError, ReloadRunningError
from server.loading import load_solver, open_tasks
from server.reloading import Reloader
from server.security.access import Access
from server.security.connections import bounded_protocol, connections_limit
from server.security.keys import KeyFileError
from server.security.opening import announced, open_access
from server.security.stalled import Reader, StalledReaders
from server.settings import Settings
from server.slow_clients import Connection, SlowClients
from server.solver import DrainingError, Solver
from server.trace_export import traced

log = logging.getLogger(__name__)

TICKS_A_SECOND = 10  # uvicorn's
SWITCH_SECONDS = 0.0005  # a tenth of Python's: a step must not wait long for the event loop
SOLVING_SHARE = 0.8  # of the time to drain; the rest is for sending answers off


class AddressError(Exception):
    """The host and port cannot be bound."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reads keys and bundles again.

    Raises: AddressError, KeyFileError, NoKeysError, BundleError, BatchDirectoryError,
    TaskDirectoryError, StorageError, TracingUnavailableError.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform != "win32":  # until there is something to reload
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    opened = open_access(settings, time.monotonic, secrets.token_bytes)
    with _bind(settings.host, settings.port) as listener:
        solver = load_solver(settings)
        batches = Batches(solver, settings) if settings.batches else None
        tasks = open_tasks(solver, settings)
        reloader = Reloader(solver, settings)
        gc.collect()
        gc.freeze()  # what is there now stays: full collections need not look at it again
        app = create_app(solver, settings, batches, tasks, reloader, access=opened.access)
        config = uvicorn.Config(
            app,
            http=bounded_protocol(connections_limit(settings.connections_limit), solver.metrics),
            proxy_headers=bool(settings.forwarded_allow_ips),
            forwarded_allow_ips=list(settings.forwarded_allow_ips),
            server_header=False,
            log_config=None,
            access_log=False,  # the application has its own
            ws="none",  # so that every connection is one of HTTP
            timeout_graceful_shutdown=math.ceil((1 - SOLVING_SHARE) * settings.drain_seconds),
        )
        if opened.generated is not None:
            sys.stderr.write(announced(opened.generated))
        with traced(app, solver, settings):
            DrainingServer(config, solver, reloader, opened.access, settings).run([listener])


@final
class DrainingServer(uvicorn.Server):
    """On a signal: not ready, then solve what was accepted, and only then stop listening.

    So a load balancer sees `/readyz` turn to 503 while it can still connect.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        solver: Solver,
        reloader: Reloader,
        access: Access,
        settings: Settings,
    ) -> None:
        super().__init__(config)
        self._solver = solver
        self._reloader = reloader
        self._access = access
        self._solving_seconds = SOLVING_SHARE * settings.drain_seconds
        self._slow_clients = SlowClients(settings.receive_seconds)
        self._stalled_readers = StalledReaders()
        self._signal: signal.Signals | None = None
        self._drain_until_s: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; then says where the server is, and listens for SIGHUP."""
        await super().startup(sockets)
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._on_hangup)
        for listener in sockets or ():
            puzzles = ",".join(self._solver.loaded.defaults)
            log.info("serving", extra={"url": url_of(listener), "puzzles": puzzles})

    def _on_hangup(self) -> None:
        threading.Thread(target=self._reload, name="ponder-reload", daemon=True).start()

    def _reload(self) -> None:
        try:
            self._access.reload()
        except KeyFileError as error:
            log.error("keys stay as they were", extra={"why": str(error)})
        try:
            self._reloader.reload()
        except (ReloadFailedError, DrainingError):
            return  # the log has it; the server goes on
        except ReloadRunningError as error:
            log.warning("signal passed over", extra={"signal": "SIGHUP", "why": str(error)})
        except Exception:  # a bug; nobody waits for this thread
            log.exception("reload failed")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (uvicorn's)
        """The first signal begins to drain, a second one ends at once."""
        if self._signal is not None:
            self.should_exit = self.force_exit = True
        self._signal = signal.Signals(sig)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop. Every second: clients that send nothing go."""
        if counter % TICKS_A_SECOND == 0:
            connections = cast("Iterable[Connection]", self.server_state.connections)
            closed = self._slow_clients.sweep(connections, time.monotonic())
            readers = cast("Iterable[Reader]", self.server_state.connections)
            closed += self._stalled_readers.sweep(readers, time.monotonic())
            if closed:
                log.info("slow clients closed", extra={"connections": closed})
        if self._signal is not None and self._drain_until_s is None:
            log.info("draining", extra={"signal": self._signal.name})
            self._drain_until_s = time.monotonic() + self._solving_seconds
            self._solver.drain(self._solving_seconds)
        if self._drain_until_s is not None:
            self.should_exit |= self._solver.idle or time.monotonic() >= self._drain_until_s
        return await super().on_tick(counter)


def url_of(listener: socket.socket) -> str:
    """Where a bound socket can be reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    """A socket that holds the address; uvicorn listens on it once the bundles are loaded."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressError(f"cannot serve on {host}:{port}: {error.strerror}") from error
    return listener
