"""Bundles read again from their directories while the server goes on.

New lanes are opened and warmed beside those that serve, on the thread of whoever asks; then they
take over at once. Puzzles that wait or work on a lane that is replaced end there.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from export.manifest import BundleError
from server.loaded import Loaded, OpenBundle, ReloadFailedError, ReloadRunningError
from server.loading import open_bundles
from server.settings import Settings
from server.solver import DrainingError, Solver

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reload:
    """What a reload came to: names of bundles, and the seconds that it took."""

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    seconds: float


@final
class Reloader:
    """Reloads the settings' bundles, one reload at a time. From any thread but the event loop's."""

    def __init__(
        self, solver: Solver, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._solver = solver
        self._settings = settings
        self._clock = clock
        self._running = threading.Lock()

    def reload(self) -> Reload:
        """Serve what is in the bundles' directories now; what is the same there is left alone.

        Raises: ReloadRunningError; ReloadFailedError, and everything is as it was; DrainingError.
        """
        if not self._running.acquire(blocking=False):
            raise ReloadRunningError
        try:
            return self._reload()
        except BundleError as error:
            self._solver.metrics.reload("failed")
            log.error("reload failed", extra={"why": str(error)})
            raise ReloadFailedError(str(error)) from error
        finally:
            self._running.release()

    def _reload(self) -> Reload:
        begun_s = self._clock()
        before = self._solver.loaded.bundles
        bundles = open_bundles(self._settings, before)
        if self._solver.state == "draining":
            raise DrainingError
        self._solver.replace(Loaded(bundles))
        done = _compared(before, bundles, self._clock() - begun_s)
        self._solver.metrics.reload("done")
        log.info(
            "bundles reloaded",
            extra={
                "added": ",".join(done.added),
                "replaced": ",".join(done.replaced),
                "removed": ",".join(done.removed),
                "unchanged": ",".join(done.unchanged),
                "seconds": round(done.seconds, 3),
            },
        )
        return done


def _compared(before: Sequence[OpenBundle], after: Sequence[OpenBundle], seconds: float) -> Reload:
    was = {bundle.name: bundle.raw for bundle in before}
    now = {bundle.name: bundle.raw for bundle in after}
    both = [name for name in now if name in was]
    return Reload(
        added=tuple(name for name in now if name not in was),
        replaced=tuple(name for name in both if now[name] != was[name]),
        removed=tuple(name for name in was if name not in now),
        unchanged=tuple(name for name in both if now[name] == was[name]),
        seconds=seconds,
    )
