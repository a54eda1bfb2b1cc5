"""What the database of batches keeps, and in which order."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.batches.errors import BatchDirectoryError, UnknownBatchError
from server.batches.store import BatchRow, Progress, Store
from server.disk import StorageError
from server.ids import sortable_id

SOME = Progress(
    answered=3, solved=1, unsolved=1, invalid=1, input_lines=4, input_bytes=99, results_bytes=77
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "batches.sqlite3")
    yield opened
    opened.close()


def row(name: str, key: str | None = None) -> BatchRow:
    return BatchRow(
        id=name,
        name=None,
        state="queued",
        created_ms=1,
        started_ms=None,
        ended_ms=None,
        expires_ms=50,
        total=3,
        problem=None,
        idempotency_key=key,
        sha256=name,
    )


def insert_many(store: Store, count: int) -> None:
    for number in range(count):
        store.insert(row(f"a{number:04}"))


def ids(rows: list[BatchRow]) -> str:
    return " ".join(found.id for found in rows)


def test_a_batch_is_found_as_it_was_put_in_also_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "batches.sqlite3"
    first = Store(path)
    first.insert(row("a", key="k"))
    first.start("a", 5)
    first.advance("a", SOME)
    first.close()
    second = Store(path)
    assert second.get("a") == replace(
        row("a", key="k"), state="running", started_ms=5, progress=SOME
    )
    second.close()


def test_an_idempotency_key_stands_for_one_batch(store: Store) -> None:
    assert store.insert(row("a", key="k")).id == "a"
    assert store.insert(row("b", key="k")).id == "a"
    assert store.insert(row("c")).id == "c"
    assert store.ids() == {"a", "c"}
    store.delete("a")
    assert store.insert(row("d", key="k")).id == "d"


def test_pages_go_from_the_newest_to_the_oldest(store: Store) -> None:
    for name in "bdace":
        store.insert(row(name))
    assert ids(store.page(2, None)) == "e d"
    assert ids(store.page(2, "d")) == "c b"
    assert ids(store.page(2, "b")) == "a"
    assert ids(store.page(9, "a")) == ""


def test_what_was_begun_goes_on_before_what_waits(store: Store) -> None:
    for name in "abcd":
        store.insert(row(name))
    store.start("c", 1)
    store.cancel("b", 1, 2)
    assert ids(store.unfinished(9)) == "c a d"
    assert ids(store.unfinished(2)) == "c a"


def test_a_second_start_keeps_the_time_of_the_first(store: Store) -> None:
    store.insert(row("a"))
    assert store.start("a", 5)
    assert store.start("a", 6)
    assert store.get("a").started_ms == 5


@pytest.mark.parametrize("end", ["finish", "fail", "cancel"])
def test_what_has_ended_stays_as_it_is(store: Store, end: str) -> None:
    store.insert(row("a"))
    store.start("a", 5)
    assert store.advance("a", SOME)
    if end == "finish":
        assert store.finish("a", SOME, 7, 8)
    elif end == "fail":
        assert store.fail("a", "{}", 7, 8)
    else:
        assert store.cancel("a", 7, 8).state == "cancelled"
    ended = store.get("a")
    assert (ended.ended_ms, ended.expires_ms, ended.progress) == (7, 8, SOME)
    assert not store.start("a", 9)
    assert not store.advance("a", Progress(answered=9))
    assert not store.finish("a", Progress(answered=9), 9, 9)
    assert not store.fail("a", "{}", 9, 9)
    assert store.cancel("a", 9, 9) == ended
    assert store.get("a") == ended


def test_only_what_has_ended_expires(store: Store) -> None:
    for name in "ab":
        store.insert(row(name))
    store.cancel("a", 1, expires_ms=10)
    assert (store.expired(9), store.expired(10), store.expired(1000)) == ([], ["a"], ["a"])


def test_batches_are_counted_by_state(store: Store) -> None:
    for name in "abc":
        store.insert(row(name))
    store.start("a", 1)
    store.cancel("b", 1, 1)
    assert store.by_state() == {"queued": 1, "running": 1, "done": 0, "cancelled": 1, "failed": 0}


def test_what_is_not_there_is_said(store: Store) -> None:
    with pytest.raises(UnknownBatchError, match="there is no batch x"):
        store.get("x")
    with pytest.raises(UnknownBatchError):
        store.cancel("x", 1, 1)
    with pytest.raises(UnknownBatchError):
        store.delete("x")


def test_the_directory_belongs_to_one_server(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BatchDirectoryError, match="in use by another server"):
        Store(tmp_path / "batches.sqlite3")
    store.insert(row("a"))


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "junk.sqlite3"
    path.write_bytes(b"junk" * 1000)
    with pytest.raises(BatchDirectoryError, match="not a database"):
        Store(path)


def test_the_format_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(BatchDirectoryError, match="format 9, expected 1"):
        Store(path)


def test_a_full_disk_is_a_typed_error_and_the_store_lives_on(store: Store) -> None:
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full"):
        insert_many(store, 1000)
    store._connection.execute("PRAGMA max_page_count = 1000000")
    store.insert(row("b"))
    assert store.get("b").id == "b"


def test_ids_sort_by_time_and_differ_by_chance() -> None:
    early, late = sortable_id("batch_", 1, b"\xff" * 10), sortable_id("batch_", 2, b"\x00" * 10)
    assert early == "batch_" + "0" * 9 + "1" + "z" * 16
    assert early < late
    assert len(late) == len("batch_") + 26
