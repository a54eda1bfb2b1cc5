"""Files of any size as pieces of at most 16 MiB, so that they pass where big files do not.

`ema.safetensors` is one file while it is small enough, and `ema.safetensors.000`, `.001`, ... when
it is not: `cat ema.safetensors.*` puts it together.
"""

import errno
from pathlib import Path

PIECE_BYTES = 16 * 2**20


def write_in_pieces(path: Path, content: bytes) -> None:
    """Write a new file, whole or in pieces."""
    if len(content) <= PIECE_BYTES:
        path.write_bytes(content)
        return
    view = memoryview(content)
    for number, begin in enumerate(range(0, len(content), PIECE_BYTES)):
        _piece(path, number).write_bytes(view[begin : begin + PIECE_BYTES])


def read_pieces(path: Path) -> bytes:
    """What the file holds, whole or from pieces. Raises: FileNotFoundError if any is missing.

    Only the content can tell that its last piece is missing.
    """
    if path.exists():
        return path.read_bytes()
    count = len(list(path.parent.glob(f"{path.name}.[0-9]*")))
    if not count:
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
    return b"".join(_piece(path, number).read_bytes() for number in range(count))


def _piece(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number:03d}")
