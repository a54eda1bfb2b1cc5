"""What a job's table is filled with: a model, a puzzle's geometry, a thread's memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernel.geometry import Geometry
from kernel.job import Field
from kernel.layout import FLOAT, FloatArray, Layout, Network
from kernel.memory import ALIGNMENT, Bytes, JobTable, aligned
from kernel.weights import Weights
from puzzles.kind import PuzzleSpec


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
    }


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
        Field.whole: pairs * layout.mixed_bytes,
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
    return {field: aligned(size) for field, size in sizes.items()}


def weight_fields(
    weights: Weights, layout: Layout, geometry: Geometry
) -> dict[Field, npt.NDArray[Any]]:
    """The model, its matrices packed."""
    return {
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
    for block, around in zip(weights.blocks, weights.around, strict=True):
        parts += _pack_transposed(block, layout) if transposed else _pack_block(block, layout)
        parts.append(np.ascontiguousarray(around).view(np.uint8).reshape(-1))
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


def puzzle_numbers(spec: PuzzleSpec, geometry: Geometry) -> dict[Field, int]:
    """The puzzle's sizes."""
    return {
        Field.pairs: geometry.pairs,
        Field.cells: spec.seq_len,
        Field.symbols: geometry.symbols,
        Field.side: geometry.side,
        Field.first_symbol: spec.vocab_size - geometry.symbols,
    }


def puzzle_fields(geometry: Geometry) -> dict[Field, npt.NDArray[Any]]:
    """The puzzle's groups."""
    return {
        Field.members: geometry.members,
        Field.group_ends: geometry.group_ends,
        Field.scale: geometry.scale,
    }
