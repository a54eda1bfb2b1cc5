"""Demonstrations of a lane's tasks on the training device, each draw turned, recoloured, moved.

Source: TRM reference, dataset/build_arc_dataset.py (what is done to a grid, not how).
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from puzzles.arc import (
    COLOURS,
    DIHEDRAL,
    END_TOKEN,
    FIRST_COLOUR_TOKEN,
    OUTSIDE,
    PAD_TOKEN,
    Arc,
    dihedral,
    variant,
)
from puzzles.kind import Grid
from training.losses import IGNORED_LABEL
from training.pool import Drawn
from training.task_set import NamedTask


@dataclass(frozen=True)
class LearntTasks:
    """Tasks of one canvas: variant v of task i is `task` first_task + i · variants + v."""

    arc: Arc
    tasks: tuple[NamedTask, ...]
    first_task: int
    variants: int


@final
class TaskPool:
    """Draws a task, one of its demonstrations and one of its variants, all evenly."""

    def __init__(self, learnt: LearntTasks, *, shift: float, device: torch.device) -> None:
        """shift: share of rows whose grids lie elsewhere than at the corner."""
        arc, variants = learnt.arc, learnt.variants
        self._size, self._first_task, self._variants = arc.size, learnt.first_task, variants
        self._shift = shift
        demonstrations = [named.task.demonstrations for named in learnt.tasks]
        counts = torch.tensor([len(pairs) for pairs in demonstrations])
        self._counts = counts.to(device)
        self._starts = (counts.cumsum(0) - counts).to(device)
        pairs = [pair for pairs in demonstrations for pair in pairs]
        self._questions = _canvases(arc, [pair.question for pair in pairs], device)
        self._answers = _canvases(arc, [pair.answer for pair in pairs], device)
        cells: npt.NDArray[Any] = np.arange(arc.size**2).reshape(arc.size, arc.size)
        turns = np.stack([dihedral(cells, turn).ravel() for turn in range(DIHEDRAL)])
        self._turns = torch.from_numpy(turns).to(device)
        recolourings = range(-(-variants // DIHEDRAL))
        colours = [[*variant(DIHEDRAL * r).colours, OUTSIDE] for r in recolourings]
        self._colours = torch.tensor(colours, device=device)

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """`count` demonstrations with replacement."""
        task = self._below(torch.full((count,), len(self._counts)), generator)
        pair = self._starts[task] + self._below(self._counts[task], generator)
        seen = self._below(torch.full((count,), self._variants), generator)
        question, answer = (
            self._turned(canvases[pair].long(), seen)
            for canvases in (self._questions, self._answers)
        )
        room = self._size - torch.maximum(_extent(question), _extent(answer))  # (B, 2)
        moved = torch.rand(count, 1, generator=generator, device=generator.device) < self._shift
        offset = torch.where(moved, self._below(room + 1, generator), 0)
        tokens, labels = (encoded(lay(grid, offset)) for grid in (question, answer))
        return Drawn(
            tokens,
            torch.where(labels == PAD_TOKEN, IGNORED_LABEL, labels),
            self._first_task + task * self._variants + seen,
        )

    def refresh(self, optimizer_step: int) -> None:
        """Demonstrations are what they are."""

    def close(self) -> None:
        """Nothing runs."""

    def _turned(self, cells: Tensor, seen: Tensor) -> Tensor:
        """(B, S) cells as variants (B,) -> (B, C, C)."""
        turned = cells.gather(1, self._turns[seen % DIHEDRAL])
        recoloured = self._colours[seen // DIHEDRAL].gather(1, turned)
        return recoloured.view(-1, self._size, self._size)

    @staticmethod
    def _below(limits: Tensor, generator: torch.Generator) -> Tensor:
        """Whole numbers from 0 up to below each limit, int64."""
        shares = torch.rand(limits.shape, generator=generator, device=generator.device)
        return (shares * limits.to(generator.device)).long()


def lay(canvas: Tensor, offset: Tensor) -> Tensor:
    """Move each rectangle of colours so that its corner is at `offset`.

    canvas: (B, C, C) cells; offset: (B, 2) int64 rows and columns -> (B, C, C).
    """
    size, device = canvas.shape[1], canvas.device
    inside = canvas != OUTSIDE
    corner = torch.stack([inside.any(2).int().argmax(1), inside.any(1).int().argmax(1)], 1)
    at = torch.arange(size, device=device) + (corner - offset).unsqueeze(-1)  # (B, 2, C)
    rows, columns = at[:, 0].unsqueeze(2), at[:, 1].unsqueeze(1)
    on_canvas = ((rows >= 0) & (rows < size)) & ((columns >= 0) & (columns < size))
    index = rows.clamp(0, size - 1) * size + columns.clamp(0, size - 1)
    moved = canvas.flatten(1).gather(1, index.flatten(1)).view_as(canvas)
    return torch.where(on_canvas, moved, OUTSIDE)


def encoded(canvas: Tensor) -> Tensor:
    """(B, C, C) cells -> (B, S) int64 tokens, as `Arc.encode_flat`."""
    inside = canvas != OUTSIDE
    ends = torch.zeros_like(inside)
    ends[:, 1:] |= inside[:, :-1]
    ends[:, :, 1:] |= inside[:, :, :-1]
    beyond = torch.where(ends, END_TOKEN, PAD_TOKEN)
    return torch.where(inside, canvas + FIRST_COLOUR_TOKEN, beyond).flatten(1)


def _extent(canvas: Tensor) -> Tensor:
    """(B, C, C) -> (B, 2) height and width of the colours."""
    inside = canvas != OUTSIDE
    return torch.stack([inside.any(2).sum(1), inside.any(1).sum(1)], 1)


def _canvases(arc: Arc, grids: list[Grid], device: torch.device) -> Tensor:
    """(N, S) uint8."""
    cells = np.stack([arc.on_canvas(grid).ravel() for grid in grids])
    assert cells.max() <= COLOURS
    return torch.from_numpy(cells).to(device)
