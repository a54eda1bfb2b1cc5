"""Puzzles ready on the training device, drawn by weight from one or more sources."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from puzzles.kind import PuzzleKind
from training.dataset import PuzzleArrays, PuzzleSet
from training.recipe import Lane, Source
from training.sudoku_generator import PuzzleStream

CHUNKS = 16  # of a source's generated puzzles; one is replaced at each refresh


@dataclass(frozen=True)
class Drawn:
    """tokens, labels: (B, S) int64 on the device; task: (B,) int64 where puzzles have tasks."""

    tokens: Tensor
    labels: Tensor
    task: Tensor | None = None

    def repeated(self, times: int) -> "Drawn":
        """Each row so many times, one after the other."""
        if times == 1:
            return self
        task = None if self.task is None else self.task.repeat_interleave(times)
        tokens, labels = (grid.repeat_interleave(times, 0) for grid in (self.tokens, self.labels))
        return Drawn(tokens, labels, task)


class Questions(Protocol):
    """Where a rolling batch gets its questions from."""

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """`count` of them, with replacement."""
        ...

    def refresh(self, optimizer_step: int) -> None:
        """Be what is drawn from when `optimizer_step` begins."""
        ...

    def close(self) -> None:
        """Stop what runs for it."""
        ...


@final
class Pool:
    """All puzzles of a lane: sources lie one behind the other in one array on the device.

    `refresh` comes before the first `draw`: it is what fills in generated puzzles.
    """

    def __init__(self, kind: PuzzleKind, lane: Lane, *, seed: int, device: torch.device) -> None:
        self._kind = kind
        sets = [_open(source, kind) for source in lane.sources]
        sizes = [
            CHUNKS * _chunk_size(source) if puzzles is None else len(puzzles)
            for source, puzzles in zip(lane.sources, sets, strict=True)
        ]
        starts = np.cumsum([0, *sizes]).tolist()
        shape = (starts[-1], kind.spec.seq_len)
        # int16 keeps a million 9×9 puzzles at 320 MB, labels included.
        self._tokens = torch.zeros(shape, dtype=torch.int16, device=device)
        self._labels = torch.zeros_like(self._tokens)
        self._streams: list[_FreshChunks] = []
        for source, puzzles, start in zip(lane.sources, sets, starts, strict=False):
            if puzzles is None:
                stream_seed = seed + len(self._streams)
                self._streams.append(_FreshChunks(kind, source, start, stream_seed))
            else:
                self._write(start, puzzles.questions, puzzles.answers)
        self._starts = torch.tensor(starts[:-1], device=device)
        self._sizes = torch.tensor(sizes, device=device)
        self._weights = torch.tensor([s.weight for s in lane.sources], device=device)

    def _write(
        self, start: int, questions: npt.NDArray[np.uint8], answers: npt.NDArray[np.uint8]
    ) -> None:
        """Put (N, S) grid cells in place as tokens, from row `start` on."""
        for array, cells in ((self._tokens, questions), (self._labels, answers)):
            tokens = self._kind.encode_flat(cells).astype(np.int16)
            array[start : start + len(cells)] = torch.from_numpy(tokens)

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """`count` puzzles with replacement: a source by weight, then one of its puzzles."""
        device = self._tokens.device
        source = torch.multinomial(self._weights, count, replacement=True, generator=generator)
        at = torch.rand(count, generator=generator, device=device, dtype=torch.float64)
        index = self._starts[source] + (at * self._sizes[source]).long()
        return Drawn(self._tokens[index].long(), self._labels[index].long())

    def refresh(self, optimizer_step: int) -> None:
        """Bring generated puzzles to where they stand when `optimizer_step` begins.

        It depends on nothing but the seed and that number, so a resumed run draws the same.
        """
        for stream in self._streams:
            for start, puzzles in stream.due(optimizer_step):
                self._write(start, puzzles.questions, puzzles.answers)

    def close(self) -> None:
        """Stop the threads that generate puzzles."""
        for stream in self._streams:
            stream.close()


def _open(source: Source, kind: PuzzleKind) -> PuzzleSet | None:
    """The data set of a source; None if it generates its puzzles. Raises: DatasetError."""
    if source.path is None:
        return None
    return PuzzleSet.open(source.path, source.split, puzzle=kind.spec.name)


def _chunk_size(source: Source) -> int:
    return max(1, source.pool // CHUNKS)


@final
class _FreshChunks:
    """A ring of generated chunks: chunk k in place k modulo `CHUNKS`, made ahead by a thread."""

    def __init__(self, kind: PuzzleKind, source: Source, start: int, seed: int) -> None:
        self._puzzle = kind.spec.name
        self._source, self._start, self._seed = source, start, seed
        self._size = _chunk_size(source)
        self._stream: PuzzleStream | None = None
        self._next = 0  # the chunk that the stream gives next

    def due(self, optimizer_step: int) -> Iterator[tuple[int, PuzzleArrays]]:
        """Chunks that are missing at this optimizer step, and the row that each begins at."""
        oldest = optimizer_step // self._source.refresh_every
        if self._stream is None or not oldest <= self._next <= oldest + CHUNKS:
            self.close()
            self._next = oldest
            self._stream = PuzzleStream(
                self._puzzle,
                seed=self._seed,
                extra_givens=self._source.extra_givens,
                taken=oldest * self._size,
                chunk_size=self._size,
                ahead=2,
            )
        while self._next < oldest + CHUNKS:
            puzzles = self._stream.take(self._size)
            yield self._start + self._next % CHUNKS * self._size, puzzles
            self._next += 1

    def close(self) -> None:
        """Stop the thread."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
