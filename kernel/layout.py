"""How a network's numbers lie in memory for the compiled step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt

from kernel.isa import Isa, UnsupportedError

FLOAT = 4  # bytes of a float32
SUB_TILE = 3  # pairs whose projections are summed in registers at once
BACK_SUB_TILE = 4  # the same for gradients; even, for sums over two rows at once
TILE_ROWS, TILE_STEPS = 8, 16  # where a CPU multiplies matrices: rows, and four bytes of each
TILES_OUT = 4  # what comes out at once, a vector of columns each
AT_ONCE = 4  # steps of a matrix product between two jumps, where code is not unrolled

FloatArray = npt.NDArray[np.float32]


CellName = Literal["lattice", "palette"]


@dataclass(frozen=True)
class Hearing:
    """What a pair of a cell hears, in vectors of D numbers.

    parts: what it reads by itself, its own state first; group_projections: weights of its four
    groups, which may share some; neighbours: states beside it that are weighed and added.
    And how many of its pairs are taken through a refinement together (`tile`, of SUB_TILEs), or
    through its gradient (`back_tiles`, of BACK_SUB_TILEs), or groups through theirs (`group_tile`,
    even): what reads few weights from memory, and leaves few pairs over in usual puzzles.
    """

    parts: int
    group_projections: int
    neighbours: int
    tile: int
    back_tiles: tuple[int, ...]
    group_tile: int


ROLES: Mapping[CellName, int] = {"lattice": 3, "palette": 4}  # vectors that x is told by
HEARING: Mapping[CellName, Hearing] = {
    "lattice": Hearing(1, 3, 0, tile=9, back_tiles=(8,), group_tile=8),
    "palette": Hearing(2, 4, 9, tile=18, back_tiles=(12, 4), group_tile=10),
}


@dataclass(frozen=True)
class Network:
    """What of a model is fixed in the code: D, the SwiGLU's width W, blocks, n and T."""

    cell: CellName
    hidden_size: int
    width: int
    blocks: int
    latent_recursions: int
    deep_recursions: int
    unit_key: int = 0  # numbers of a pair's query, key and value; 0: no attention inside units

    @property
    def sizes(self) -> tuple[int, ...]:
        """What must be whole vectors."""
        of_attention = (2 * self.unit_key,) if self.unit_key else ()
        return (self.hidden_size, self.width, *of_attention)


@final
class Layout:
    """Sizes in bytes of what belongs to one pair or group, and the order of packed weights."""

    def __init__(self, network: Network, isa: Isa, *, keeps: bool = False) -> None:
        """keeps: a refinement keeps what its gradient needs.

        Raises: UnsupportedError if a size is no multiple of the CPU's vectors.
        """
        for name, size in (("hidden size", network.hidden_size), ("width", network.width)):
            if size % isa.lanes:
                raise UnsupportedError(f"{name} {size} is no multiple of {isa.lanes}")
        if network.unit_key and (2 * network.unit_key % isa.lanes or not _fits(network, isa)):
            raise UnsupportedError(f"unit attention of {network.unit_key} fills no {isa.lanes}s")
        self._isa = isa
        self.keeps = keeps
        self.vectors = network.hidden_size // isa.lanes  # of one pair's state
        self.gates = network.width // isa.lanes  # vectors of gate, and as many of up
        self.state_bytes = network.hidden_size * FLOAT
        self.factor_bytes = network.hidden_size * isa.factor_bytes
        hearing = HEARING[network.cell]
        self.parts = hearing.parts
        self.tile, self.sub_tile, self.back_sub_tile = hearing.tile, SUB_TILE, BACK_SUB_TILE
        self.back_tiles = hearing.back_tiles
        self.group_tiles: tuple[int, ...] = (hearing.group_tile,)
        if isa.tiles:
            self.tile = hearing.tile // TILE_ROWS * TILE_ROWS
            self.sub_tile = self.back_sub_tile = TILE_ROWS
            self.back_tiles = self.group_tiles = (2 * TILE_STEPS, TILE_ROWS)
        self.back_tile = max(self.back_tiles)
        self.heard_bytes = hearing.parts * self.factor_bytes
        self.mixed_bytes = 2 * network.width * FLOAT
        self.inner_bytes = network.width * isa.factor_bytes
        self.vector_bytes = isa.lanes * FLOAT
        self.vector_factor_bytes = isa.lanes * isa.factor_bytes
        # A step of a matrix product takes as many inputs as fill four bytes.
        self.hidden_steps = network.hidden_size * isa.factor_bytes // FLOAT
        self.width_steps = network.width * isa.factor_bytes // FLOAT
        self.heard_steps = hearing.parts * self.hidden_steps
        self.projections = hearing.parts + hearing.group_projections
        self.neighbours = hearing.neighbours
        self.group_projections = hearing.group_projections
        self.projection_bytes = self.hidden_steps * 2 * self.gates * self.vector_bytes
        self.mixed_factor_bytes = 2 * network.width * isa.factor_bytes
        self.mixed_steps = self.mixed_factor_bytes // FLOAT
        # A block's weights: a pair's own projections, its groups', out, the neighbours' float32.
        around_floats = hearing.neighbours * network.hidden_size
        # Attention inside units: a pair's K numbers in pieces of a vector or less; its query, key
        # and value side by side and zeros up to whole vectors; and what it sees of lines, boxes.
        self.unit_key = network.unit_key
        self.piece = min(network.unit_key, isa.lanes)
        self.qkv_vectors = -(-3 * network.unit_key // isa.lanes)
        self.seen_vectors = 2 * network.unit_key // isa.lanes
        self.qkv_steps = self.qkv_vectors * isa.lanes * isa.factor_bytes // FLOAT
        self.seen_steps = self.seen_vectors * isa.lanes * isa.factor_bytes // FLOAT
        # Of what comes out of any product, for one pair.
        qkv_bytes_of_pair = self.qkv_vectors * self.vector_bytes
        self.widest_bytes = max(self.mixed_bytes, self.state_bytes, qkv_bytes_of_pair)
        self.seen_bytes = self.seen_steps * FLOAT  # of a pair's factors
        qkv_bytes = self.hidden_steps * self.qkv_vectors * self.vector_bytes
        self.qkv_floats = network.hidden_size * self.qkv_vectors * isa.lanes
        seen_floats = self.seen_vectors * isa.lanes * network.hidden_size
        self.out_at = self.projections * self.projection_bytes
        self.around_at = self.out_at + self.width_steps * self.vectors * self.vector_bytes
        self.qkv_at = self.around_at + around_floats * FLOAT
        self.seen_at = self.qkv_at + qkv_bytes
        self.block_bytes = self.seen_at + self.seen_steps * self.vectors * self.vector_bytes
        # Their gradients, float32: projections (D, 2 W), out (W, D), neighbours (9, D), queries,
        # keys and values (D, whole vectors), what is seen (2 K, D).
        self.projection_floats = network.hidden_size * 2 * network.width
        self.out_floats_at = self.projections * self.projection_floats
        self.around_floats_at = self.out_floats_at + network.width * network.hidden_size
        self.qkv_floats_at = self.around_floats_at + around_floats
        self.seen_floats_at = self.qkv_floats_at + self.qkv_floats
        self.block_floats = self.seen_floats_at + seen_floats

    def column_blocks(self) -> list[list[int]]:
        """Vectors of gate and their partners of up, as many as the registers hold for a tile."""
        room = (self._isa.registers - SUB_TILE - 1) // SUB_TILE // 2
        room = min(room, TILES_OUT) if self._isa.tiles else room
        size = max(n for n in range(1, self.gates + 1) if self.gates % n == 0 and n <= max(room, 1))
        return [
            [half + first + i for half in (0, self.gates) for i in range(size)]
            for first in range(0, self.gates, size)
        ]

    def back_sub_tiles(self) -> list[tuple[int, int]]:
        """Pairs that are taken together, and of these at once; the next takes what is left."""
        return [*((tile, self.back_sub_tile) for tile in self.back_tiles), (1, 1)]

    def sums_by_tiles(self, rows: int) -> bool:
        """Whether a sum over so many rows is a matrix product of tiles."""
        return self._isa.tiles and rows == 2 * TILE_STEPS

    def by_tiles(self, rows: int, steps: int) -> bool:
        """Whether a matrix product of so many rows and steps is one of tiles."""
        return self._isa.tiles and rows == TILE_ROWS and steps % TILE_STEPS == 0

    def back_column_blocks(self) -> list[list[int]]:
        """Vectors of SwiGLU's inner gradient, as many as the registers hold for a tile."""
        room = (self._isa.registers - BACK_SUB_TILE - 1) // BACK_SUB_TILE
        size = min(self.gates, max(1, room))
        return [
            list(range(first, min(first + size, self.gates)))
            for first in range(0, self.gates, size)
        ]

    def panel_bytes(self, steps: int, columns: Sequence[int]) -> int:
        """Of a matrix's weights of some columns, which lie together."""
        return steps * len(columns) * self.vector_bytes

    def rows_together(self, tile: int, vectors: int | None = None) -> int:
        """Of a tile's pairs, so many whose sums of `vectors`, or D numbers, the registers hold."""
        if self._isa.tiles and tile % TILE_ROWS == 0:
            return TILE_ROWS
        room = (self._isa.registers - 1) // ((vectors or self.vectors) + 1)
        return max(n for n in range(1, tile + 1) if tile % n == 0 and (n <= room or n == 1))

    def steps_at_once(self, steps: int) -> int:
        """Of a matrix product's steps, so many follow each other without a jump.

        All of them in a step for inference, where that gains a tenth; few for training, which has
        many more products: unrolled, they would take ten seconds to compile.
        """
        return next(n for n in (AT_ONCE, 2, 1) if steps % n == 0) if self.keeps else steps

    def pack(self, weight: FloatArray, panels: Sequence[Sequence[int]]) -> npt.NDArray[np.uint8]:
        """(outputs, inputs) float32 -> bytes in the order in which a matrix product reads them.

        A panel, some vectors of outputs, after the other, and in it a step after the other: the
        weights of one input for float32; for bfloat16 of two, in pairs, rounded to nearest.
        """
        outputs, lanes = len(weight), self._isa.lanes
        if self._isa.precision == "float32":
            steps: npt.NDArray[Any] = weight.T.reshape(-1, outputs // lanes, lanes)
        else:
            pairs = _bfloat16(weight).reshape(outputs, -1, 2).transpose(1, 0, 2)
            steps = pairs.reshape(-1, outputs // lanes, 2 * lanes)
        parts = [np.ascontiguousarray(steps[:, list(panel)]) for panel in panels]
        return np.concatenate([part.view(np.uint8).reshape(-1) for part in parts])


def _fits(network: Network, isa: Isa) -> bool:
    """Whether a pair's queries, keys and values are whole vectors, or whole parts of one."""
    key = network.unit_key
    return key % isa.lanes == 0 or isa.lanes % key == 0


def _bfloat16(values: FloatArray) -> npt.NDArray[np.uint16]:
    """The upper halves of float32 numbers, rounded to nearest, ties to even; finite ones."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
