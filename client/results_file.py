"""A file of results that grows: what it holds is compared with the server's before it goes on."""

from pathlib import Path

from client.errors import ResultsMismatchError

COMPARED_BYTES = 4096  # of its end: answers hold their timing, so that no two batches' are equal


class ResultsFile:
    """`start`: the byte from which on it wants to be given the results."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError."""
        self._path = path
        self._file = path.open("a+b")
        self.size_bytes = self._file.seek(0, 2)
        self.start = max(0, self.size_bytes - COMPARED_BYTES)
        self._file.seek(self.start)
        self._expected = self._file.read()

    def take(self, part: bytes) -> None:
        """Store what comes next. Raises: ResultsMismatchError, OSError."""
        known = len(self._expected)
        if not part.startswith(self._expected[: len(part)]):
            raise self._mismatch()
        self._expected = self._expected[len(part) :]
        if new := part[known:]:
            self._file.write(new)
            self._file.flush()
            self.size_bytes += len(new)

    def check(self) -> None:
        """Raises: ResultsMismatchError if the server has less than the file held."""
        if self._expected:
            raise self._mismatch()

    def close(self) -> None:
        """Raises: OSError."""
        self._file.close()

    def _mismatch(self) -> ResultsMismatchError:
        return ResultsMismatchError(
            f"{self._path} holds something else than results of this batch: move it away, or "
            "give another file"
        )
