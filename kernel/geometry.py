"""A puzzle's pairs and groups, as the compiled step finds them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import numpy.typing as npt

from kernel.isa import UnsupportedError
from kernel.layout import CellName
from puzzles.arc import END_TOKEN
from puzzles.kind import PuzzleSpec

MEANS_SIDE = 10  # of the canvas by which a palette's means are scaled, as in `model.palette`

Ints = npt.NDArray[np.intp]


@final
@dataclass(frozen=True)
class Geometry:
    """members: (P, 4) int32, a pair's groups; groups of one kind stand together.

    group_ends: (group projections,) int64, where the groups of each end; scale: (G,) float32, of
    the groups' sums; side: cells in a line; symbols: N, of a cell; unit_cells: (3 N, N) int32, the
    cells of every row, column and box, of a lattice only.
    """

    members: npt.NDArray[np.int32]
    group_ends: npt.NDArray[np.int64]
    scale: npt.NDArray[np.float32]
    side: int
    symbols: int
    unit_cells: npt.NDArray[np.int32]

    @property
    def pairs(self) -> int:
        """P."""
        return len(self.members)

    @property
    def groups(self) -> int:
        """G."""
        return len(self.scale)


def geometry_of(cell: CellName, spec: PuzzleSpec) -> Geometry:
    """Raises: UnsupportedError for a puzzle that does not suit the cell."""
    return _lattice(spec) if cell == "lattice" else _palette(spec)


def _lattice(spec: PuzzleSpec) -> Geometry:
    """Cells, rows, columns, boxes; rows and columns share a projection."""
    height, width, symbols = spec.box_height, spec.box_width, spec.symbols
    if height is None or width is None or symbols != height * width:
        raise UnsupportedError(f"{spec.name}: the lattice cell needs rows, columns and boxes")
    row, column, symbol = np.indices((spec.height, spec.width, symbols)).reshape(3, -1)
    box = row // height * (spec.width // width) + column // width
    cell = row * spec.width + column
    of_symbol = [unit * symbols + symbol for unit in (row, column, box)]
    cells = spec.seq_len
    scale = np.full(4 * cells, symbols**-0.5)
    found = _geometry([cell, *of_symbol], [cells] * 4, scale, (0, 2, 3), spec.width, symbols)
    one = symbol == 0
    unit_cells = [cell[one][np.argsort(unit[one], kind="stable")] for unit in (row, column, box)]
    of_units = np.concatenate(unit_cells).reshape(-1, symbols)
    return replace(found, unit_cells=np.ascontiguousarray(of_units, np.int32))


def _palette(spec: PuzzleSpec) -> Geometry:
    """Cells, rows, columns, canvas; scaled is the mean of a line or canvas, see MEANS_SIDE."""
    if spec.kind != "arc" or spec.height != spec.width:
        raise UnsupportedError(f"{spec.name}: the palette cell needs a square canvas of colours")
    side, symbols = spec.width, spec.vocab_size - END_TOKEN  # a pad is no answer
    row, column, symbol = np.indices((side, side, symbols)).reshape(3, -1)
    kinds = [row * side + column, row * symbols + symbol, column * symbols + symbol, symbol]
    sizes = [spec.seq_len, side * symbols, side * symbols, symbols]
    line = math.sqrt(MEANS_SIDE) / side
    scale = np.repeat([symbols**-0.5, line, line, MEANS_SIDE / spec.seq_len], sizes)
    return _geometry(kinds, sizes, scale, (0, 1, 2, 3), side, symbols)


def _geometry(
    kinds: Sequence[Ints],
    sizes: Sequence[int],
    scale: npt.NDArray[np.float64],
    last_of_projection: Sequence[int],
    side: int,
    symbols: int,
) -> Geometry:
    """kinds: each pair's group among those of a kind; sizes: how many groups a kind has."""
    ends = np.cumsum(sizes)
    members = np.stack(
        [kind + end - size for kind, end, size in zip(kinds, ends, sizes, strict=True)], 1
    )
    return Geometry(
        members=np.ascontiguousarray(members, np.int32),
        group_ends=np.ascontiguousarray(ends[list(last_of_projection)], np.int64),
        scale=np.ascontiguousarray(scale, np.float32),
        side=side,
        symbols=symbols,
        unit_cells=np.empty((0, 0), np.int32),
    )
