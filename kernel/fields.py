"""What a job's table is filled with: a model, a puzzle's geometry, a thread's memory."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kernel.isa import UnsupportedError
from kernel.job import Field
from kernel.layout import TILE, Layout
from kernel.memory import Bytes, aligned
from kernel.weights import LatticeWeights
from puzzles.kind import PuzzleSpec

GROUP_KINDS = 4  # cells, rows, columns, boxes: as many groups of each as cells


def step_memory(layout: Layout, spec: PuzzleSpec) -> dict[Field, Bytes]:
    """What one thread alone writes to during a step."""
    pairs, groups = spec.seq_len * spec.symbols, GROUP_KINDS * spec.seq_len
    sizes = {
        Field.role_of: 4 * pairs,
        Field.question: layout.state_bytes * pairs,
        Field.h: layout.state_bytes * pairs,
        Field.factors: layout.factor_bytes * pairs,
        Field.zeros: layout.state_bytes * pairs,
        Field.sums: layout.state_bytes * groups,
        Field.group_factors: layout.factor_bytes * groups,
        Field.mixed: layout.mixed_bytes * groups,
        Field.inner: layout.inner_bytes * TILE,
    }
    return {field: aligned(size) for field, size in sizes.items()}


def weight_fields(
    weights: LatticeWeights, layout: Layout, spec: PuzzleSpec
) -> dict[Field, npt.NDArray[Any]]:
    """The model, its matrices packed."""
    packed = np.concatenate([layout.pack(weight) for block in weights.blocks for weight in block])
    blocks = aligned(packed.size)
    blocks[:] = packed
    return {
        Field.blocks: blocks,
        Field.roles: np.ascontiguousarray(weights.roles),
        Field.starts: np.ascontiguousarray(weights.starts),
        Field.read: np.ascontiguousarray(weights.answer),
        Field.halt: weights.halt / np.float32(spec.seq_len * spec.symbols),
        Field.halt_bias: weights.halt_bias,
    }


def puzzle_numbers(spec: PuzzleSpec) -> dict[Field, int]:
    """The puzzle's sizes."""
    return {
        Field.pairs: spec.seq_len * spec.symbols,
        Field.cells: spec.seq_len,
        Field.symbols: spec.symbols,
        Field.first_symbol: spec.vocab_size - spec.symbols,
    }


def puzzle_fields(spec: PuzzleSpec) -> dict[Field, npt.NDArray[Any]]:
    """A pair's groups, (P, 4) int32: cell, row, column, box; groups of one kind stand together.

    Raises: UnsupportedError for a puzzle that is no lattice.
    """
    height, width, symbols = spec.box_height, spec.box_width, spec.symbols
    if height is None or width is None or symbols != height * width:
        raise UnsupportedError(f"{spec.name}: the lattice cell needs rows, columns and boxes")
    row, column, symbol = np.indices((spec.height, spec.width, symbols)).reshape(3, -1)
    box = row // height * (spec.width // width) + column // width
    of_symbol = [unit * symbols + symbol for unit in (row, column, box)]
    kinds = [row * spec.width + column, *of_symbol]
    members = np.stack([kind + i * spec.seq_len for i, kind in enumerate(kinds)], 1)
    return {
        Field.members: np.ascontiguousarray(members, np.int32),
        Field.scale: np.array([symbols**-0.5], np.float32),
    }
