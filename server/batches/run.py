"""A batch that is being worked on: its lines go into a window, answers from there into a file."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

from server.batches.files import BatchFiles
from server.batches.lines import is_blank, read_line
from server.batches.schemas import BatchLine, Outcome
from server.batches.store import BatchRow, Progress
from server.batches.window import Answered, Ask, Place, Window
from server.disk import StorageError, storing
from server.policy import Status


@dataclass(frozen=True)
class Written:
    """Answers that are on the disk, and how far the batch is with them."""

    progress: Progress
    outcomes: tuple[Outcome, ...]


@final
class BatchRun:
    """Goes on where a batch's row says that it is. Used by one thread.

    Raises: StorageError, from any method, where the disk refuses or files are not as they were.
    """

    def __init__(
        self, row: BatchRow, files: BatchFiles, ask: Ask, clock: Callable[[], float]
    ) -> None:
        """What the results file has beyond the row's progress is cut off."""
        self._total = row.total
        self._progress = row.progress
        self._read = Place(row.progress.input_lines, row.progress.input_bytes)
        self._at_end = False
        self._window = Window(row.id, ask, clock)
        with storing("the lines"):
            self._input = files.input(row.id).open("rb")
        try:
            with storing("the lines"):
                self._input.seek(row.progress.input_bytes)
            with storing("the results"):
                self._results = files.results(row.id).open("r+b", buffering=0)
        except StorageError:
            self._input.close()
            raise
        try:
            self._cut_off(row.progress.results_bytes)
        except StorageError:
            self.close()
            raise

    def _cut_off(self, size_bytes: int) -> None:
        with storing("the results"):
            if (found := os.fstat(self._results.fileno()).st_size) < size_bytes:
                raise StorageError(f"the results: {found} bytes, expected {size_bytes} at least")
            self._results.truncate(size_bytes)
            self._results.seek(size_bytes)

    @property
    def in_flight(self) -> int:
        """Lines in work."""
        return len(self._window)

    @property
    def is_done(self) -> bool:
        """Whether every line is answered, and written."""
        return self._at_end and not len(self._window)

    def fill(self, room: int) -> None:
        """Begin with so many more lines. Raises: SolverStoppedError."""
        self._window.repeat()
        while room > 0 and not self._at_end:
            with storing("the lines"):
                line = self._input.readline()
            if not line:
                self._at_end = True
                return
            place = Place(self._read.line + 1, self._read.end_bytes + len(line))
            if not is_blank(line):
                self._window.add(place, read_line(line, place.line))
                room -= 1
            self._read = place

    def write(self) -> Written:
        """Write answers whose turn it is; they are synced when this returns."""
        progress, lines, outcomes = self._progress, [], []
        for answered in self._window.take():
            line = answered.line.model_dump_json().encode() + b"\n"
            outcome = _outcome(answered.line)
            progress = _after(progress, answered, outcome, len(line))
            lines.append(line)
            outcomes.append(outcome)
        if lines:
            self._append(b"".join(lines))
            self._progress = progress
        if self.is_done and self._progress.answered != self._total:
            raise StorageError(
                f"the lines: there are {self._progress.answered}, expected {self._total}"
            )
        return Written(self._progress, tuple(outcomes))

    def _append(self, data: bytes) -> None:
        with storing("the results"):
            while data:  # an unbuffered file may take a part only
                data = data[self._results.write(data) :]
            os.fsync(self._results.fileno())

    def close(self) -> None:
        """Give up what is in work, and close the files."""
        self._window.close()
        self._input.close()
        self._results.close()


def _outcome(line: BatchLine) -> Outcome:
    if line.result is None:
        return "invalid"
    return "solved" if line.result.status is Status.solved else "unsolved"


def _after(progress: Progress, answered: Answered, outcome: Outcome, size_bytes: int) -> Progress:
    """How far a batch is after one more line, of which `size_bytes` were written."""
    return replace(
        progress,
        answered=progress.answered + 1,
        solved=progress.solved + (outcome == "solved"),
        unsolved=progress.unsolved + (outcome == "unsolved"),
        invalid=progress.invalid + (outcome == "invalid"),
        input_lines=answered.place.line,
        input_bytes=answered.place.end_bytes,
        results_bytes=progress.results_bytes + size_bytes,
    )
