"""What a job's table is filled with: a model, a puzzle's geometry, a thread's memory."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernel.geometry import Geometry
from kernel.job import Field
from kernel.layout import FLOAT, TILE_ROWS, TILE_STEPS, FloatArray, Layout, Network
from kernel.memory import ALIGNMENT, Bytes, JobTable, aligned
from kernel.tile_code import ROW_BYTES, tile_shapes
from kernel.weights import Weights
from puzzles.kind import PuzzleSpec

SHARPNESS = 2.0  # of attention inside units, as in `model.unit_attention`


def step_memory(layout: Layout, geometry: Geometry) -> dict[Field, Bytes]:
    """What one thread alone writes to during a step."""
    pairs, groups = geometry.pairs, geometry.groups
    sizes = {
        Field.role_of: 4 * pairs,
        Field.question: layout.state_bytes * pairs,
        Field.h: layout.state_bytes * pairs,
        Field.zeros: layout.state_bytes * pairs,
        Field.sums: layout.state_bytes * groups,
        Field.inner: layout.inner_bytes * layout.tile,
        Field.tile_turned: ROW_BYTES * TILE_STEPS,
        Field.tile_sums: layout.widest_bytes * TILE_ROWS,
    } | _heard_sizes(layout, geometry)
    return {field: aligned(size) for field, size in sizes.items()}


def _heard_sizes(layout: Layout, geometry: Geometry) -> dict[Field, int]:
    pairs, groups = geometry.pairs, geometry.groups
    return {
        Field.factors: layout.heard_bytes * pairs,
        Field.group_factors: layout.factor_bytes * groups,
        Field.mixed: layout.mixed_bytes * groups,
        Field.before: _bordered_bytes(layout, geometry),
        Field.before_norms: FLOAT * pairs,
    } | _looked_sizes(layout, geometry)


def _looked_sizes(layout: Layout, geometry: Geometry) -> dict[Field, int]:
    """Of attention inside units; none where there is none."""
    if not layout.unit_key:
        return {}
    return {
        Field.before_factors: layout.factor_bytes * geometry.pairs,
        Field.qkv: 3 * _plane_bytes(layout, geometry),
        Field.looks: geometry.unit_cells.size * _look_bytes(layout, geometry),
        Field.looked: 3 * _plane_bytes(layout, geometry),
        Field.looked_factors: layout.seen_steps * FLOAT * geometry.pairs,
    }


def _cell_bytes(layout: Layout, geometry: Geometry) -> int:
    """Of the numbers of a cell's pairs, up to whole vectors."""
    return -(-geometry.symbols * layout.unit_key * FLOAT // layout.vector_bytes) * (
        layout.vector_bytes
    )


def _plane_bytes(layout: Layout, geometry: Geometry) -> int:
    return geometry.pairs // geometry.symbols * _cell_bytes(layout, geometry)


def _look_bytes(layout: Layout, geometry: Geometry) -> int:
    """Of the weights that a cell gives those of a unit, up to whole vectors."""
    return -(-geometry.symbols * FLOAT // layout.vector_bytes) * layout.vector_bytes


def _bordered_bytes(layout: Layout, geometry: Geometry) -> int:
    """Of a state with a border around it; none where no neighbour is heard."""
    places = (geometry.side + 2) ** 2 * geometry.symbols
    return layout.state_bytes * places if layout.neighbours else 0


def set_tape(
    job: JobTable,
    kept: Mapping[Field, Field],
    network: Network,
    layout: Layout,
    geometry: Geometry,
) -> int:
    """Where a slot of the tape has what; returns the whole tape's bytes."""
    pairs = geometry.pairs
    sizes = _heard_sizes(layout, geometry) | {
        Field.whole: pairs * layout.mixed_factor_bytes,
        Field.norms: pairs * FLOAT,
        Field.out: pairs * layout.state_bytes,
    }
    begin = 0
    for field, offset in kept.items():
        job.set(offset, begin)
        begin += -(-sizes[field] // ALIGNMENT) * ALIGNMENT
    job.set(Field.tape_slot, begin)
    return begin * (network.latent_recursions + 1) * network.blocks


def gradient_memory(layout: Layout, geometry: Geometry) -> dict[Field, Bytes]:
    """What one thread alone writes to for gradients."""
    pairs, groups = geometry.pairs, geometry.groups
    sizes = {
        Field.d_logits: FLOAT * pairs,
        Field.d_q: FLOAT,
        Field.d_out: layout.state_bytes * pairs,
        Field.d_question: layout.state_bytes * pairs,
        Field.d_wide: layout.state_bytes * layout.back_tile,
        Field.d_wide_rows: layout.state_bytes * layout.back_tile,
        Field.d_factors: layout.factor_bytes * layout.back_tile,
        Field.d_mixed: layout.mixed_bytes * layout.back_tile,
        Field.d_mixed_factors: layout.mixed_factor_bytes * layout.back_tile,
        Field.wide_h: layout.parts * layout.state_bytes * layout.back_tile,
        Field.wide_inner: layout.mixed_bytes // 2 * layout.back_tile,
        Field.d_rays: (layout.parts - 1) * layout.state_bytes * pairs,
        Field.d_seen: _bordered_bytes(layout, geometry),
        Field.d_groups: layout.mixed_bytes * groups,
        Field.d_sums: layout.state_bytes * groups,
    }
    if layout.unit_key:
        of_tile = layout.qkv_vectors * layout.vector_bytes * layout.back_tile
        sizes |= {
            Field.d_qkv: 3 * _plane_bytes(layout, geometry),
            Field.d_looked: 3 * _plane_bytes(layout, geometry),
            Field.d_looks: geometry.symbols * _look_bytes(layout, geometry),
            Field.looked_rows: layout.seen_vectors * layout.vector_bytes * layout.back_tile,
            Field.d_qkv_rows: of_tile,
            Field.d_qkv_factors: of_tile,
        }
    return {field: aligned(size) for field, size in sizes.items()}


def weight_fields(
    weights: Weights, layout: Layout, geometry: Geometry
) -> dict[Field, npt.NDArray[Any]]:
    """The model, its matrices packed."""
    return {
        Field.tile_shapes: tile_shapes(),
        Field.blocks: _pack(weights, layout, transposed=False),
        Field.roles: np.ascontiguousarray(weights.roles),
        Field.starts: np.ascontiguousarray(weights.starts),
        Field.read: np.ascontiguousarray(weights.answer),
        Field.halt: weights.halt / np.float32(geometry.pairs),
        Field.halt_bias: weights.halt_bias,
    }


def back_weight_fields(weights: Weights, layout: Layout) -> dict[Field, npt.NDArray[Any]]:
    """The transposed matrices, packed."""
    return {Field.back_blocks: _pack(weights, layout, transposed=True)}


def _pack(weights: Weights, layout: Layout, *, transposed: bool) -> Bytes:
    parts = []
    for block, around, attention in zip(
        weights.blocks, weights.around, weights.attention, strict=True
    ):
        parts += _pack_transposed(block, layout) if transposed else _pack_block(block, layout)
        parts.append(np.ascontiguousarray(around).view(np.uint8).reshape(-1))
        if attention:
            qkv, out = attention
            parts += _pack_attention(qkv, out, layout, transposed=transposed)
    packed = aligned(sum(map(len, parts)))
    packed[:] = np.concatenate(parts)
    return packed


def _pack_block(block: Sequence[FloatArray], layout: Layout) -> list[Bytes]:
    """What a pair reads by itself is one product, of all its parts."""
    *projections, out = block
    own, groups = projections[: layout.parts], projections[layout.parts :]
    panels = layout.column_blocks()
    packed = [layout.pack(matrix, panels) for matrix in (np.concatenate(own, axis=1), *groups)]
    return [*packed, layout.pack(out, [list(range(layout.vectors))])]


def _pack_transposed(block: Sequence[FloatArray], layout: Layout) -> list[Bytes]:
    *projections, out = block
    panel = [list(range(layout.vectors))]
    packed = [layout.pack(matrix.T, panel) for matrix in projections]
    return [*packed, layout.pack(out.T, layout.back_column_blocks())]


def _pack_attention(
    qkv: FloatArray, out: FloatArray, layout: Layout, *, transposed: bool
) -> list[Bytes]:
    lanes = layout.qkv_floats // layout.qkv_vectors // qkv.shape[1]
    whole = np.zeros((layout.qkv_vectors * lanes, qkv.shape[1]), np.float32)
    whole[: len(qkv)] = qkv
    hidden, seen = [list(range(layout.vectors))], [list(range(layout.seen_vectors))]
    if transposed:
        return [layout.pack(whole.T, hidden), layout.pack(out.T, seen)]
    return [layout.pack(whole, [list(range(layout.qkv_vectors))]), layout.pack(out, hidden)]


def puzzle_numbers(spec: PuzzleSpec, geometry: Geometry, layout: Layout) -> dict[Field, int]:
    """The puzzle's sizes."""
    return {
        Field.cell_bytes: _cell_bytes(layout, geometry),
        Field.plane_bytes: _plane_bytes(layout, geometry),
        Field.look_bytes: _look_bytes(layout, geometry),
        Field.pairs: geometry.pairs,
        Field.cells: spec.seq_len,
        Field.symbols: geometry.symbols,
        Field.side: geometry.side,
        Field.first_symbol: spec.vocab_size - geometry.symbols,
    }


def puzzle_fields(geometry: Geometry, layout: Layout) -> dict[Field, npt.NDArray[Any]]:
    """The puzzle's groups and units."""
    cell, symbol = np.divmod(np.arange(geometry.pairs), geometry.symbols)
    piece_at = cell * _cell_bytes(layout, geometry) + symbol * layout.unit_key * FLOAT
    unit_scale = SHARPNESS / math.sqrt(max(1, geometry.symbols * layout.unit_key))
    return {
        Field.unit_cells: geometry.unit_cells * np.int32(_cell_bytes(layout, geometry)),
        Field.piece_at: piece_at.astype(np.int32),
        Field.unit_scale: np.array([unit_scale], np.float32),
        Field.members: geometry.members,
        Field.group_ends: geometry.group_ends,
        Field.scale: geometry.scale,
    }
