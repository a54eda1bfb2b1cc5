"""Puzzles ready on the training device, drawn by weight from one or more sources."""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from puzzles.kind import PuzzleKind
from training.dataset import PuzzleSet
from training.recipe import Lane, Source
from training.sudoku_generator import generate_chunk


@dataclass(frozen=True)
class Drawn:
    """tokens, labels: (B, S) int64 on the device."""

    tokens: Tensor
    labels: Tensor


@final
class Pool:
    """All puzzles of a lane: sources lie one behind the other in one array on the device."""

    def __init__(self, kind: PuzzleKind, lane: Lane, *, seed: int, device: torch.device) -> None:
        self._kind = kind
        self._streams: list[_Stream] = []
        questions: list[npt.NDArray[np.uint8]] = []
        answers: list[npt.NDArray[np.uint8]] = []
        starts, start = [], 0
        for source in lane.sources:
            if source.path is not None:
                puzzles = PuzzleSet.open(source.path, source.split, puzzle=kind.spec.name)
                question, answer = np.asarray(puzzles.questions), np.asarray(puzzles.answers)
            else:
                stream = _Stream(kind, source, start, seed + len(self._streams))
                self._streams.append(stream)
                question, answer = stream.first()
            questions.append(question)
            answers.append(answer)
            starts.append(start)
            start += len(question)
        self._tokens = self._encode(np.concatenate(questions)).to(device)
        self._labels = self._encode(np.concatenate(answers)).to(device)
        self._starts = torch.tensor(starts, device=device)
        self._sizes = torch.tensor([len(q) for q in questions], device=device)
        self._weights = torch.tensor([s.weight for s in lane.sources], device=device)

    def _encode(self, cells: npt.NDArray[np.uint8]) -> Tensor:
        """(N, S) grid cells -> (N, S) tokens; int16 keeps a million 9×9 puzzles at 160 MB."""
        return torch.from_numpy(self._kind.encode_flat(cells).astype(np.int16))

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """`count` puzzles with replacement: a source by weight, then one of its puzzles."""
        device = self._tokens.device
        source = torch.multinomial(self._weights, count, replacement=True, generator=generator)
        at = torch.rand(count, generator=generator, device=device, dtype=torch.float64)
        index = self._starts[source] + (at * self._sizes[source]).long()
        return Drawn(self._tokens[index].long(), self._labels[index].long())

    def refresh(self, optimizer_step: int) -> None:
        """Replace part of each stream's puzzles by fresh ones when its time has come."""
        for stream in self._streams:
            if optimizer_step % stream.source.refresh_every == 0:
                self._replace(stream, stream.round_at(optimizer_step))

    def restore(self, optimizer_step: int) -> None:
        """Bring the streams to where an uninterrupted run has them after `optimizer_step`."""
        for stream in self._streams:
            last = stream.round_at(optimizer_step)
            for number in range(max(1, last - stream.rounds + 1), last + 1):
                self._replace(stream, number)

    def _replace(self, stream: "_Stream", number: int) -> None:
        if number == 0:
            return
        question, answer = stream.chunk(stream.rounds + number - 1)
        begin = stream.start + (number - 1) % stream.rounds * len(question)
        self._tokens[begin : begin + len(question)] = self._encode(question)
        self._labels[begin : begin + len(question)] = self._encode(answer)


@final
class _Stream:
    """Fresh generated puzzles: `rounds` chunks are held, the oldest is replaced at each refresh.

    Chunk k depends only on the seed and k, so a resumed run sees the same puzzles.
    """

    rounds = 16

    def __init__(self, kind: PuzzleKind, source: Source, start: int, seed: int) -> None:
        self.source = source
        self.start = start
        self._puzzle = kind.spec.name
        self._seed = seed
        self._count = max(1, source.pool // self.rounds)

    def round_at(self, optimizer_step: int) -> int:
        """How many refreshes have happened when this optimizer step begins."""
        return optimizer_step // self.source.refresh_every

    def chunk(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Questions and answers, (count, S) uint8 each."""
        made = generate_chunk(
            self._puzzle,
            seed=self._seed,
            chunk_index=index,
            count=self._count,
            extra_givens=self.source.extra_givens,
        )
        return made.questions, made.answers

    def first(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """The puzzles before the first refresh."""
        chunks = [self.chunk(index) for index in range(self.rounds)]
        return np.concatenate([q for q, _ in chunks]), np.concatenate([a for _, a in chunks])
