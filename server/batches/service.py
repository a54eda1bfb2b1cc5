"""Everything that one server does with batches: what the endpoints call, from any thread."""

import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, final

from server.batches.errors import KeyReusedError
from server.batches.files import BatchFiles
from server.batches.intake import Intake, Upload, UploadLimits
from server.batches.runner import Runner, RunnerLimits
from server.batches.store import BatchRow, Store
from server.disk import storing
from server.ids import RANDOM_BYTES, sortable_id
from server.lane import SolveResult
from server.schemas import SolveRequest
from server.settings import Settings
from server.solver import Solver

DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class StoredResults:
    """An open file of results, of which `row.progress.results_bytes` count; to be closed."""

    row: BatchRow
    file: BinaryIO


@final
class Batches:
    """A directory of batches and the thread that works on them; a context manager."""

    def __init__(
        self, solver: Solver, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        """Take the directory for this server alone. clock: seconds since 1970.

        Raises: BatchDirectoryError, StorageError.
        """
        self._clock = clock
        self._keep_ms = int(settings.batch_days * DAY_MS)
        self._limits = UploadLimits(
            settings.batch_bytes, settings.body_limit_bytes, settings.batch_lines_limit
        )
        self.receive_seconds = settings.receive_seconds
        self._files = BatchFiles(settings.batch_dir)
        self._store = Store(self._files.database)
        self._files.remove_all_but(self._store.ids())
        self._runner = Runner(
            self._store,
            self._files,
            _asker(solver),
            RunnerLimits(settings.batch_lines_in_flight, self._keep_ms),
            solver.metrics,
            clock,
        )

    def __enter__(self) -> "Batches":
        self._runner.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.close()
        self._store.close()

    @property
    def upload_bytes(self) -> int:
        """How big an upload may be, unpacked."""
        return self._limits.upload_bytes

    def new_id(self) -> str:
        """A name for a batch that is to come."""
        return sortable_id("batch_", self._now_ms(), secrets.token_bytes(RANDOM_BYTES))

    def intake(self, new_id: str, *, gzipped: bool) -> Intake:
        """Where a new batch's lines go while they arrive. Raises: StorageError."""
        return Intake(self._files.upload(new_id), gzipped=gzipped, limits=self._limits)

    def accept(
        self, new_id: str, upload: Upload, *, name: str | None, idempotency_key: str | None
    ) -> BatchRow:
        """Make a batch of an upload that has arrived; a key that is known has its batch already.

        Raises: KeyReusedError, StorageError.
        """
        now_ms = self._now_ms()
        row = BatchRow(
            id=new_id,
            name=name,
            state="queued",
            created_ms=now_ms,
            started_ms=None,
            ended_ms=None,
            expires_ms=now_ms + self._keep_ms,
            total=upload.lines,
            problem=None,
            idempotency_key=idempotency_key,
            sha256=upload.sha256,
        )
        self._files.keep_upload(new_id)
        found = self._store.insert(row)
        if found.id != new_id:
            self._files.remove(new_id)
            if found.sha256 != upload.sha256:
                raise KeyReusedError(found.id)
        self._runner.notify()
        return found

    def discard(self, new_id: str) -> None:
        """An upload came to nothing. Raises: StorageError."""
        self._files.remove(new_id)

    def get(self, batch_id: str) -> BatchRow:
        """Raises: UnknownBatchError, StorageError."""
        return self._store.get(batch_id)

    def page(self, limit: int, after: str | None) -> list[BatchRow]:
        """So many batches at most, newest first, from behind `after`. Raises: StorageError."""
        return self._store.page(limit, after)

    def cancel(self, batch_id: str) -> BatchRow:
        """End a batch; one that has ended stays as it is.

        Raises: UnknownBatchError, StorageError.
        """
        now_ms = self._now_ms()
        row = self._store.cancel(batch_id, now_ms, now_ms + self._keep_ms)
        self._runner.notify()
        return row

    def delete(self, batch_id: str) -> None:
        """End a batch and forget it. Raises: UnknownBatchError, StorageError."""
        self._store.delete(batch_id)
        self._runner.notify()
        self._files.remove(batch_id)

    def results(self, batch_id: str) -> StoredResults:
        """A batch as it is now, and its results. Raises: UnknownBatchError, StorageError."""
        row = self._store.get(batch_id)
        with storing("the results"):
            return StoredResults(row, self._files.results(batch_id).open("rb"))

    def _now_ms(self) -> int:
        return int(1000 * self._clock())


def _asker(solver: Solver) -> Callable[[SolveRequest, str], Future[SolveResult]]:
    def ask(request: SolveRequest, batch: str) -> Future[SolveResult]:
        job = solver.prepare(request, solver.clock())
        solver.submit([job], background=batch)
        return job.future

    return ask
