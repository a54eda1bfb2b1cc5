"""Lenses: a task reads its question at other places than each cell's own.

Tiles, mirror images, enlargements, halves laid over each other: what such a task puts into a cell
lies far from it in the question, at a place that geometry alone tells. A lens is a row map times a
column map out of a fixed list; a task's embedding says how much it takes of each, so that a new
task finds its maps by gradient. Cost: two products of a side's length per lens, once a step.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F  # noqa: N812 (the field's name for it)
from torch import Tensor, nn

from model.layers import truncated_normal
from puzzles.arc import COLOURS, FIRST_COLOUR_TOKEN

SHARPNESS = 4.0  # of an embedding's numbers as logits: maps are chosen in hundreds of updates
CROSSED_EVERY = 4  # lenses: the last of so many reads the question transposed


@dataclass(frozen=True)
class Span:
    """Rows, or columns, that hold something: where they begin and how many; int64 (B, 1)."""

    first: Tensor
    extent: Tensor


@dataclass(frozen=True)
class Line:
    """What lies along a question's rows, or columns; `grid` from the canvas, the others from it.

    drawn: what is not black; rarest, commonest: what has the colour, or one of the colours, of
    fewest and most cells, black apart. Where there is no such thing: the whole grid.
    """

    size: int
    grid: Span
    drawn: Span
    rarest: Span
    commonest: Span


@dataclass(frozen=True)
class LineMap:
    """Where row i of an answer reads the question; the same for columns.

    at: (i, line) -> place, counted from the grid's corner, as i; beyond the grid nothing is read.
    flipped: the map that does the same to grids turned upside down, where answers have the size
    that the map is for.
    """

    name: str
    at: Callable[[Tensor, Line], Tensor]
    flipped: str


def _div(a: Tensor, b: Tensor | int) -> Tensor:
    return torch.div(a, b, rounding_mode="floor")


def _folded(i: Tensor, n: Tensor) -> Tensor:
    place = torch.remainder(i, 2 * n)
    return torch.minimum(place, 2 * n - 1 - place)


def _up_to(i: Tensor, extent: Tensor, place: Tensor) -> Tensor:
    """The place, and nowhere from i = `extent` on."""
    return torch.where(i < extent, place, -1)


def _all_of(i: Tensor, span: Span) -> Tensor:
    return _up_to(i, span.extent, span.first + i)


def _n(of: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Line], Tensor]:
    """A map that needs to know nothing but how many rows the grid has."""
    return lambda i, line: of(i, line.grid.extent)


MAPS: tuple[LineMap, ...] = (
    LineMap("same", _n(lambda i, _: i), "same"),
    LineMap("mirrored", _n(lambda i, n: n - 1 - i), "mirrored"),
    LineMap("repeated", _n(torch.remainder), "repeated"),
    LineMap("folded", _n(_folded), "folded back"),
    LineMap("folded back", _n(lambda i, n: n - 1 - _folded(i, n)), "folded"),
    LineMap("enlarged by 2", _n(lambda i, _: _div(i, 2)), "enlarged by 2"),
    LineMap("enlarged by 3", _n(lambda i, _: _div(i, 3)), "enlarged by 3"),
    LineMap("enlarged by n", _n(_div), "enlarged by n"),
    LineMap("first of 2", _n(lambda i, _: 2 * i), "last of 2"),
    LineMap("last of 2", _n(lambda i, _: 2 * i + 1), "first of 2"),
    LineMap("first of 3", _n(lambda i, _: 3 * i), "last of 3"),
    LineMap("second of 3", _n(lambda i, _: 3 * i + 1), "second of 3"),
    LineMap("last of 3", _n(lambda i, _: 3 * i + 2), "first of 3"),
    LineMap("first half", _n(lambda i, n: _up_to(i, _div(n, 2), i)), "last half"),
    LineMap("last half", _n(lambda i, n: i + n - _div(n, 2)), "first half"),
    LineMap("first third", _n(lambda i, n: _up_to(i, _div(n, 3), i)), "last third"),
    LineMap("middle third", _n(lambda i, n: i + _div(n - _div(n, 3), 2)), "middle third"),
    LineMap("last third", _n(lambda i, n: i + n - _div(n, 3)), "first third"),
    LineMap("before", _n(lambda i, _: i - 1), "after"),
    LineMap("after", _n(lambda i, _: i + 1), "before"),
    LineMap("first", _n(lambda i, _: torch.zeros_like(i)), "last"),
    LineMap("middle", _n(lambda _, n: _div(n - 1, 2)), "middle"),
    LineMap("last", _n(lambda _, n: n - 1), "first"),
    LineMap("drawn", lambda i, line: _all_of(i, line.drawn), "drawn"),
    LineMap(
        "drawn, mirrored",
        lambda i, line: line.drawn.first + line.drawn.extent - 1 - i,
        "drawn, mirrored",
    ),
    LineMap(
        "drawn, repeated",
        lambda i, line: line.drawn.first + torch.remainder(i, line.drawn.extent),
        "drawn, repeated",
    ),
    LineMap(
        "inside of drawn",
        lambda i, line: _up_to(i, line.drawn.extent - 2, line.drawn.first + 1 + i),
        "inside of drawn",
    ),
    LineMap("rarest", lambda i, line: _all_of(i, line.rarest), "rarest"),
    LineMap("commonest", lambda i, line: _all_of(i, line.commonest), "commonest"),
)
# The same for a lens that reads the question transposed: a mirror image then changes sides.
CROSSED_FLIPS: Mapping[str, str] = {
    "same": "mirrored",
    "mirrored": "same",
    "drawn": "drawn, mirrored",
    "drawn, mirrored": "drawn",
}
# Of each turn of `puzzles.arc.dihedral`: transposed first, then upside down, then left to right.
TURNS = (
    (False, False, False),
    (True, True, False),
    (False, True, True),
    (True, False, True),
    (False, False, True),
    (False, True, False),
    (True, False, False),
    (True, True, True),
)


@final
class Lenses(nn.Module):
    """`count` lenses, a quarter of them (from four on) of the transposed question.

    prior: (count, 2 · maps) logits, how much of each row map and column map is taken before a task
    says anything; held, other: (count, D), what a pair is told whose colour, or another one, is
    seen there.
    """

    turns: Tensor

    def __init__(self, count: int, size: int) -> None:
        """size: D."""
        super().__init__()
        is_crossed = [i % CROSSED_EVERY == CROSSED_EVERY - 1 for i in range(count)]
        self._straight = [i for i in range(count) if not is_crossed[i]]
        self._crossed = [i for i in range(count) if is_crossed[i]]
        self.prior = nn.Parameter(torch.zeros(count, 2 * len(MAPS)))
        self.held = nn.Parameter(truncated_normal(count, size, std=0.5))
        self.other = nn.Parameter(truncated_normal(count, size, std=0.5))
        self.register_buffer("turns", _turned_places(is_crossed), persistent=False)

    @property
    def numbers(self) -> int:
        """How many numbers of a task embedding choose the lenses' maps."""
        return self.prior.numel()

    def turned(self, choice: Tensor, turn: Tensor) -> Tensor:
        """What the turned task chooses: (B, numbers), turns (B,) of DIHEDRAL -> (B, numbers)."""
        return choice.gather(1, self.turns[turn])

    def forward(self, tokens: Tensor, side: int, choice: Tensor | None) -> Tensor:
        """What the pairs see: tokens (B, S), choice (B, numbers) -> (B, S, 1 + COLOURS, D).

        The first symbol is the end mark, which no lens sees; the grid may lie anywhere.
        """
        logits = self.prior.flatten().unsqueeze(0)
        if choice is not None:
            logits = logits + SHARPNESS * choice
        shares = logits.unflatten(1, (-1, 2, len(MAPS))).softmax(-1)
        canvas = tokens.unflatten(1, (side, side))
        colours = torch.arange(COLOURS, device=tokens.device) + FIRST_COLOUR_TOKEN
        question = (canvas.unsqueeze(-1) == colours).to(shares.dtype)  # (B, C, C, COLOURS)
        lines = rows, columns = _lines_of(question)
        seen = [_seen(shares[:, self._straight], lines, lines, question)]
        if self._crossed:
            transposed = question.transpose(1, 2)
            seen.append(_seen(shares[:, self._crossed], lines, (columns, rows), transposed))
        held = torch.cat(seen, -1)  # (B, S, COLOURS, lenses)
        total = held.sum(2, keepdim=True)
        order = self._straight + self._crossed
        of_held, of_other = self.held[order], self.other[order]
        # held of this symbol, and total − held of the others: two products, not one per lens.
        x: Tensor = F.pad(held, (0, 0, 1, 0)) @ (of_held - of_other) + total @ of_other
        return x


def _seen(
    shares: Tensor, lines: tuple[Line, Line], reads: tuple[Line, Line], question: Tensor
) -> Tensor:
    """shares: (B, lenses, 2, maps) -> what each lens sees of the colours, (B, S, COLOURS, lenses).

    lines: the rows and columns of what is seen; reads: which of the question's each goes through.
    """
    of_row, of_column = (  # (B, lenses, C, C): how much of which row, or column, is read
        torch.einsum("bkm,bmip->bkip", shares[:, :, axis], _reads(lines[axis], reads[axis]))
        for axis in range(2)
    )
    of_rows = torch.einsum("bkip,bpqc->bkiqc", of_row, question)
    return torch.einsum("bkjq,bkiqc->bijck", of_column, of_rows).flatten(1, 2)


def _lines_of(question: Tensor) -> tuple[Line, Line]:
    """question: (B, C, C, COLOURS), of 0 and 1 -> its rows and columns."""
    count = question.sum((1, 2))  # (B, COLOURS)
    is_black = torch.arange(COLOURS, device=question.device) == 0
    competes = (count > 0) & ~is_black
    least = torch.where(competes, count, math.inf).amin(1, keepdim=True)
    most = torch.where(competes, count, 0.0).amax(1, keepdim=True)
    # Of equally rare colours all, or recolouring the question would choose another.
    which = (torch.ones_like(competes), ~is_black, competes & (count == least), count == most)
    held = question > 0
    grid, *parts = ((held & colours.unsqueeze(-2).unsqueeze(-2)).any(-1) for colours in which)
    lines = []
    for axis in (2, 1):
        whole = _span(grid.any(axis))
        # A row that only fills a batch has no grid, and nothing may be divided by 0.
        whole = Span(whole.first, whole.extent.clamp(min=1))
        drawn, rarest, commonest = (_within(whole, _span(part.any(axis))) for part in parts)
        lines.append(Line(question.shape[1], whole, drawn, rarest, commonest))
    rows, columns = lines
    return rows, columns


def _span(holds: Tensor) -> Span:
    """holds: (B, C), whether a row holds any of it -> from the first such row to the last."""
    held = holds.to(torch.int32)
    first = held.argmax(1, keepdim=True)
    last = holds.shape[1] - 1 - held.flip(1).argmax(1, keepdim=True)
    return Span(first, torch.where(holds.any(1, keepdim=True), last + 1 - first, 0))


def _within(whole: Span, part: Span) -> Span:
    """Counted from the whole's first row; the whole where the part is empty."""
    is_there = part.extent > 0
    return Span(
        torch.where(is_there, part.first - whole.first, 0),
        torch.where(is_there, part.extent, whole.extent),
    )


def _reads(line: Line, read: Line) -> Tensor:
    """(B, maps, C, C) of 0 and 1: whether a place of `line` reads a place of `read`."""
    places = torch.arange(line.size, device=line.grid.first.device)
    i = places - line.grid.first  # (B, C)
    found = torch.stack([one.at(i, read).expand_as(i) for one in MAPS], 1)  # (B, maps, C)
    is_read = (found >= 0) & (found < read.grid.extent.unsqueeze(1)) & (i >= 0).unsqueeze(1)
    found = torch.where(is_read, found + read.grid.first.unsqueeze(1), -1)
    return (found.unsqueeze(-1) == places).to(torch.float32)


def _turned_places(crossed: Sequence[bool]) -> Tensor:
    """(DIHEDRAL, numbers) int64: which of a task's numbers each turn of it takes in a place."""
    count = len(MAPS)
    places = torch.arange(len(crossed) * 2 * count).view(len(crossed), 2, count)
    turned = [places[:, [1, 0]] if transposed else places for transposed, *_ in TURNS]
    names = [one.name for one in MAPS]
    straight = torch.tensor([names.index(one.flipped) for one in MAPS])
    across = torch.tensor([names.index(CROSSED_FLIPS.get(name, name)) for name in names])
    for turn, (_, *flips) in enumerate(TURNS):
        chosen = turned[turn].clone()
        for lens, is_crossed in enumerate(crossed):
            for axis, flip in enumerate(flips):
                if flip and is_crossed:
                    chosen[lens] = chosen[lens][:, across]
                elif flip:
                    chosen[lens, axis] = chosen[lens, axis][straight]
        turned[turn] = chosen
    return torch.stack([chosen.flatten() for chosen in turned])
