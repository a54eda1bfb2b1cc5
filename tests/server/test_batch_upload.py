"""An upload on its way to the disk, a line read back, a range asked for."""

import gzip
from hashlib import sha256
from pathlib import Path

import pytest

from server.batches.errors import (
    BatchDirectoryError,
    DamagedUploadError,
    EmptyBatchError,
    LineTooLongError,
    RangeNotSatisfiableError,
)
from server.batches.files import BatchFiles
from server.batches.intake import Intake, Upload, UploadLimits
from server.batches.lines import read_line
from server.batches.ranges import ByteRange, asked_range
from server.disk import StorageError
from server.errors import BodyTooLargeError, problem_of

LIMITS = UploadLimits(upload_bytes=1000, line_bytes=100, lines=10_000_000)
LINES = b'{"a": 1}\n\n   \r\njunk\n{"b": 2}'


def take_in(
    path: Path, *chunks: bytes, gzipped: bool = False, limits: UploadLimits = LIMITS
) -> Upload:
    with Intake(path / "upload", gzipped=gzipped, limits=limits) as intake:
        for chunk in chunks:
            intake.feed(chunk)
        return intake.finish()


@pytest.mark.parametrize("cut", [*range(len(LINES)), 1000])
def test_an_upload_is_the_same_however_it_is_cut(tmp_path: Path, cut: int) -> None:
    upload = take_in(tmp_path, LINES[:cut], LINES[cut:])
    assert upload == Upload(lines=3, sha256=sha256(LINES).hexdigest())
    assert (tmp_path / "upload").read_bytes() == LINES


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_gzip_of_several_members_is_unpacked_as_it_comes(tmp_path: Path, size: int) -> None:
    lines = b"".join(b'{"n": %d}\n' % n for n in range(300_000))
    half = len(lines) // 2
    packed = gzip.compress(lines[:half]) + gzip.compress(lines[half:]) + b"\0" * 9
    if size == 1:
        packed, lines = gzip.compress(LINES) + gzip.compress(b'\n{"c": 3}'), LINES + b'\n{"c": 3}'
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
    limits = UploadLimits(upload_bytes=10_000_000, line_bytes=100, lines=10_000_000)
    upload = take_in(tmp_path, *chunks, gzipped=True, limits=limits)
    assert upload.sha256 == sha256(lines).hexdigest()
    assert (tmp_path / "upload").read_bytes() == lines


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\n" * 20_000_000)
    limits = UploadLimits(upload_bytes=3_000_000, line_bytes=100, lines=10_000_000)
    with pytest.raises(BodyTooLargeError, match="3000000"):
        take_in(tmp_path, bomb, gzipped=True, limits=limits)
    assert (tmp_path / "upload").stat().st_size <= 3_000_000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"plain text", "no gzip"),
        (gzip.compress(LINES)[:-9], "before its gzip does"),
        (gzip.compress(LINES)[:5], "before its gzip does"),
        (gzip.compress(LINES) + b"rest", "no gzip"),
    ],
    ids=["text", "without its end", "its head", "with more behind it"],  # it has the time in it
)
def test_gzip_that_is_none_or_not_whole_is_refused(tmp_path: Path, body: bytes, said: str) -> None:
    with pytest.raises(DamagedUploadError, match=said):
        take_in(tmp_path, body, gzipped=True)


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "there are no lines"),
        (b"\n \n", "there are no lines"),
        (b"junk\n[1]\n\n7\n", "none of 3 lines is a JSON object"),
    ],
)
def test_an_upload_without_any_object_is_refused(
    tmp_path: Path, body: bytes, said: str, gzipped: bool
) -> None:
    packed = gzip.compress(body) if gzipped else body
    with pytest.raises(EmptyBatchError, match=said):
        take_in(tmp_path, packed, gzipped=gzipped)


def test_no_gzip_at_all_is_no_lines_either(tmp_path: Path) -> None:
    with pytest.raises(EmptyBatchError, match="there are no lines"):
        take_in(tmp_path, b"", gzipped=True)


def test_the_limit_counts_every_byte(tmp_path: Path) -> None:
    exact = b'{"a": 1}\n' + b"\n" * 991
    assert take_in(tmp_path, exact).lines == 1
    with pytest.raises(BodyTooLargeError):
        take_in(tmp_path, exact, b"\n")


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_is_named(tmp_path: Path, end: bytes) -> None:
    assert take_in(tmp_path, b"{}\n" + b"x" * 100 + end).lines == 2
    with pytest.raises(LineTooLongError, match="line 2 is longer than 100 bytes"):
        take_in(tmp_path, b"{}\n" + b"x" * 60, b"x" * 41 + end)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    (tmp_path / "upload").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left"):
        take_in(tmp_path, b'{"a": 1}\n')


@pytest.mark.parametrize(
    ("line", "custom_id", "code"),
    [
        (b'{"kind": "sudoku", "grid": "1"}', "7", None),
        (b'{"kind": "sudoku", "grid": "1", "custom_id": "x"}\r\n', "x", None),
        (b"junk", "7", "invalid_json"),
        (b'{"kind": ', "7", "invalid_json"),
        (b"\xff\xfe", "7", "invalid_json"),
        (b"[" * 5000 + b"]" * 5000, "7", "invalid_json"),
        (b'"text"', "7", "invalid_request"),
        (b'{"kind": "sudoku", "custom_id": "x"}', "x", "invalid_request"),
        (b'{"kind": "sudoku", "grid": "1", "custom_id": 3}', "7", "invalid_request"),
        (b'{"kind": "s", "grid": "1", "custom_id": "' + b"x" * 65 + b'"}', "7", "invalid_request"),
        (b'{"kind": "sudoku", "grid": "1", "steps": 3}', "7", "invalid_request"),
    ],
)
def test_a_line_is_a_request_or_a_problem(line: bytes, custom_id: str, code: str | None) -> None:
    read = read_line(line, 7)
    assert read.custom_id == custom_id
    found = problem_of(read.asked).code if isinstance(read.asked, Exception) else None
    assert found == code


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", ByteRange(0, 100)),
        ("bytes=40-", ByteRange(40, 100)),
        ("bytes=40-40", ByteRange(40, 41)),
        ("bytes=40-400", ByteRange(40, 100)),
        ("bytes=-30", ByteRange(70, 100)),
        ("bytes=-300", ByteRange(0, 100)),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("bytes=1-2,4-5", None),
        ("lines=1-2", None),
        ("bytes=٣-", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_a_range_is_one_range_or_everything(header: str | None, part: ByteRange | None) -> None:
    assert asked_range(header, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiableError, match="100 bytes so far"):
        asked_range(header, 100)
    with pytest.raises(RangeNotSatisfiableError):
        asked_range("bytes=0-", 0)


def test_files_that_nobody_knows_are_removed_and_others_stay(tmp_path: Path) -> None:
    files = BatchFiles(tmp_path / "deep" / "er")
    for path in (files.upload("batch_a"), files.upload("batch_b")):
        path.write_text("{}")
    files.keep_upload("batch_a")
    for name in ("notes.txt", "batch_a.txt", "batch_gone.input.jsonl", "batch_gone.results.jsonl"):
        (tmp_path / "deep" / "er" / name).write_text("")
    assert files.remove_all_but({"batch_a", "batch_b"}) == 3
    left = sorted(path.name for path in (tmp_path / "deep" / "er").iterdir())
    assert left == ["batch_a.input.jsonl", "batch_a.results.jsonl", "batch_a.txt", "notes.txt"]


def test_a_directory_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BatchDirectoryError, match="file"):
        BatchFiles(tmp_path / "file" / "below")
