"""What is known of every batch, in SQLite: one process, one connection, any thread.

A batch's row says how much of its results file counts. Bytes are written and synced before the
row says so, and what lies behind is cut off at the next start: so whatever happens in between, the
two agree. The database is locked for as long as it is open, and the system drops that lock with
the process, however it ends.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal, final, get_args

from server.batches.errors import BatchDirectoryError, UnknownBatchError
from server.disk import StorageError

BatchState = Literal["queued", "running", "done", "cancelled", "failed"]
EndState = Literal["done", "cancelled", "failed"]
STATES: tuple[BatchState, ...] = get_args(BatchState)
ENDED = frozenset(get_args(EndState))

FORMAT = 1
LOCK_SECONDS = 0.5  # a process that was killed is gone by then
_TABLE = """
CREATE TABLE batches (
    id TEXT PRIMARY KEY,
    name TEXT,
    state TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    started_ms INTEGER,
    ended_ms INTEGER,
    expires_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    problem TEXT,
    idempotency_key TEXT UNIQUE,
    sha256 TEXT NOT NULL,
    answered INTEGER NOT NULL,
    solved INTEGER NOT NULL,
    unsolved INTEGER NOT NULL,
    invalid INTEGER NOT NULL,
    input_lines INTEGER NOT NULL,
    input_bytes INTEGER NOT NULL,
    results_bytes INTEGER NOT NULL
) WITHOUT ROWID
"""
_INDEX = "CREATE INDEX by_state ON batches (state, id)"


@dataclass(frozen=True)
class Progress:
    """How far a batch is: lines answered, and where its files stand after the last of them."""

    answered: int = 0
    solved: int = 0
    unsolved: int = 0
    invalid: int = 0
    input_lines: int = 0  # blank ones included
    input_bytes: int = 0
    results_bytes: int = 0


@dataclass(frozen=True)
class BatchRow:
    """A batch; times in milliseconds since 1970, `problem` as JSON."""

    id: str
    name: str | None
    state: BatchState
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    expires_ms: int
    total: int
    problem: str | None
    idempotency_key: str | None
    sha256: str  # of the uploaded lines, unpacked
    progress: Progress = Progress()


_OWN = tuple(field.name for field in fields(BatchRow))[:-1]
_COLUMNS = ", ".join((*_OWN, *(field.name for field in fields(Progress))))


@final
class Store:
    """The database of a directory of batches. Every method is one transaction.

    Raises: StorageError, from any method, where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """Open or create. Raises: BatchDirectoryError."""
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise BatchDirectoryError(
                    f"{path} is in use by another server; give another --batch-dir, "
                    "or --batches false"
                ) from error
            raise BatchDirectoryError(f"{path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise BatchDirectoryError(f"{path}: {error}") from error

    def _set_up(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")  # what a client has read stays so, power cut or not
        execute("BEGIN EXCLUSIVE")
        (version,) = execute("PRAGMA user_version").fetchone()
        if version == 0:
            execute(_TABLE)
            execute(_INDEX)
            execute(f"PRAGMA user_version = {FORMAT}")
        elif version != FORMAT:
            raise BatchDirectoryError(
                f"its database has format {version}, expected {FORMAT}; another ponder made it"
            )
        execute("COMMIT")

    def close(self) -> None:
        """Give the database free."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise StorageError(f"the database of batches: {error}") from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def insert(self, row: BatchRow) -> BatchRow:
        """Add a batch, unless there is one of its idempotency key: then that one is returned."""
        with self._transaction() as connection:
            if row.idempotency_key is not None:
                found = _select(connection, "WHERE idempotency_key = ?", row.idempotency_key)
                if found:
                    return found[0]
            values = (*astuple(row)[:-1], *astuple(row.progress))
            marks = ", ".join("?" * len(values))
            connection.execute(
                f"INSERT INTO batches ({_COLUMNS}) VALUES ({marks})",  # noqa: S608 (our own words)
                values,
            )
            return row

    def get(self, batch_id: str) -> BatchRow:
        """Raises: UnknownBatchError."""
        with self._transaction() as connection:
            return _get(connection, batch_id)

    def page(self, limit: int, after: str | None) -> list[BatchRow]:
        """So many batches at most, newest first, from behind `after`."""
        with self._transaction() as connection:
            if after is None:
                return _select(connection, "ORDER BY id DESC LIMIT ?", limit)
            return _select(connection, "WHERE id < ? ORDER BY id DESC LIMIT ?", after, limit)

    def unfinished(self, limit: int) -> list[BatchRow]:
        """Batches to work on: those that were begun, then those that came first."""
        with self._transaction() as connection:
            return _select(
                connection,
                "WHERE state IN ('queued', 'running') ORDER BY state = 'queued', id LIMIT ?",
                limit,
            )

    def start(self, batch_id: str, now_ms: int) -> bool:
        """A queued batch is running from now on. False: it is not to be worked on any more."""
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE batches SET state = 'running', started_ms = coalesce(started_ms, ?) "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (now_ms, batch_id),
            )
            return changed.rowcount == 1

    def advance(self, batch_id: str, progress: Progress) -> bool:
        """A running batch is so far. False: it is not running any more, and stays as it was."""
        with self._transaction() as connection:
            return _advance(connection, batch_id, progress)

    def finish(self, batch_id: str, progress: Progress, now_ms: int, expires_ms: int) -> bool:
        """A running batch is done. False: it was not running any more."""
        with self._transaction() as connection:
            advanced = _advance(connection, batch_id, progress)
            return advanced and _end(connection, batch_id, "done", now_ms, expires_ms)

    def fail(self, batch_id: str, problem: str, now_ms: int, expires_ms: int) -> bool:
        """A batch cannot go on; what is answered stays. False: it had ended before."""
        with self._transaction() as connection:
            return _end(connection, batch_id, "failed", now_ms, expires_ms, problem)

    def cancel(self, batch_id: str, now_ms: int, expires_ms: int) -> BatchRow:
        """End a batch that has not ended yet; what is answered stays. Raises: UnknownBatchError."""
        with self._transaction() as connection:
            _end(connection, batch_id, "cancelled", now_ms, expires_ms)
            return _get(connection, batch_id)

    def delete(self, batch_id: str) -> None:
        """Forget a batch. Raises: UnknownBatchError."""
        with self._transaction() as connection:
            _get(connection, batch_id)
            connection.execute("DELETE FROM batches WHERE id = ?", (batch_id,))

    def expired(self, now_ms: int) -> list[str]:
        """Ids of batches that have ended and whose time is over."""
        with self._transaction() as connection:
            found = connection.execute(
                "SELECT id FROM batches WHERE state IN ('done', 'cancelled', 'failed') "
                "AND expires_ms <= ?",
                (now_ms,),
            )
            return [batch_id for (batch_id,) in found]

    def ids(self) -> set[str]:
        """Ids of all batches."""
        with self._transaction() as connection:
            return {batch_id for (batch_id,) in connection.execute("SELECT id FROM batches")}

    def by_state(self) -> Mapping[BatchState, int]:
        """How many batches there are, by state."""
        with self._transaction() as connection:
            found = connection.execute("SELECT state, count(*) FROM batches GROUP BY state")
            return dict.fromkeys(STATES, 0) | dict(found.fetchall())


def _select(connection: sqlite3.Connection, rest: str, *values: Any) -> list[BatchRow]:
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM batches {rest}",  # noqa: S608 (our own words)
        values,
    )
    own = len(_OWN)
    return [
        BatchRow(**dict(zip(_OWN, row[:own], strict=True)), progress=Progress(*row[own:]))
        for row in found
    ]


def _get(connection: sqlite3.Connection, batch_id: str) -> BatchRow:
    found = _select(connection, "WHERE id = ?", batch_id)
    if not found:
        raise UnknownBatchError(batch_id)
    return found[0]


def _advance(connection: sqlite3.Connection, batch_id: str, progress: Progress) -> bool:
    sets = ", ".join(f"{field.name} = ?" for field in fields(Progress))
    changed = connection.execute(
        f"UPDATE batches SET {sets} WHERE id = ? AND state = 'running'",  # noqa: S608
        (*astuple(progress), batch_id),
    )
    return changed.rowcount == 1


def _end(
    connection: sqlite3.Connection,
    batch_id: str,
    state: EndState,
    now_ms: int,
    expires_ms: int,
    problem: str | None = None,
) -> bool:
    changed = connection.execute(
        "UPDATE batches SET state = ?, ended_ms = ?, expires_ms = ?, problem = ? "
        "WHERE id = ? AND state IN ('queued', 'running')",
        (state, now_ms, expires_ms, problem, batch_id),
    )
    return changed.rowcount == 1
