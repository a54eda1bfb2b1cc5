"""Supervision steps with gradients on the CPU, rows divided among threads."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from kernel.compiled import Compiled, compiled_training
from kernel.fields import GROUP_KINDS, puzzle_fields, puzzle_numbers, step_memory, weight_fields
from kernel.isa import Precision, host_isa
from kernel.job import Field
from kernel.lattice import usable_cores
from kernel.layout import BACK_TILE, FLOAT, FloatArray, Layout, Network
from kernel.memory import ALIGNMENT, Bytes, JobTable, aligned
from kernel.team import team_of
from kernel.train_code import LOSS_VALUES, ROLES, gradient_floats
from kernel.weights import BLOCK_ARRAYS, LatticeWeights, block_name
from puzzles.kind import PuzzleSpec

CHUNKS = 16  # of a batch: so many sums of gradients, whatever the number of threads


@dataclass(frozen=True)
class TrainedStep:
    """y, z: (B, P, D) float32, the new carry; logits: (B, S, N) float32, of each cell's symbols.

    answer: (B, S) int32; q_halt: (B,) float32 logit.

    losses: (B, LOSS_VALUES) float32, what the rows' losses reported; gradients: summed over the
    rows, named and shaped as the model's parameters.
    """

    y: FloatArray
    z: FloatArray
    logits: FloatArray
    answer: npt.NDArray[np.int32]
    q_halt: FloatArray
    losses: FloatArray
    gradients: dict[str, FloatArray]


@final
class LatticeTraining:
    """One network on one puzzle size. Not thread-safe: one step at a time."""

    def __init__(
        self, code: Compiled, spec: PuzzleSpec, row_loss: int, *, threads: int, batch: int
    ) -> None:
        """row_loss: address of a C function `kernel.train_code.ROW_LOSS`; batch: rows of a step.

        Raises: UnsupportedError for a puzzle that is no lattice.
        """
        self._code = code
        self._spec = spec
        self._batch = batch
        self._row_shape = (spec.seq_len * spec.symbols, code.network.hidden_size)
        self._floats = gradient_floats(code.network, code.layout)
        of_chunk = -(-sum(self._floats.values()) * FLOAT // ALIGNMENT) * ALIGNMENT
        chunk_rows = -(-batch // CHUNKS)
        self._gradients = aligned(of_chunk * -(-batch // chunk_rows))
        self._next_row = np.zeros(1, np.int64)
        # Rows continue where they stood, and labels say where they end.
        shared = puzzle_fields(spec) | {
            Field.next_row: self._next_row,
            Field.source: np.arange(batch, dtype=np.int64),
            Field.noise: np.zeros((batch, self._row_shape[0]), np.float32),
            Field.gradients: self._gradients,
        }
        self._jobs = [JobTable() for _ in range(threads)]
        for job in self._jobs:
            job.own(shared)
            job.own(step_memory(code.layout, spec) | _gradient_memory(code.layout, spec))
            job.own({Field.tape: aligned(_set_tape(job, code.network, code.layout, spec))})
            job.set_all(puzzle_numbers(spec))
            job.set(Field.rows, batch)
            job.set(Field.chunk_rows, chunk_rows)
            job.set(Field.gradient_bytes, of_chunk)
            job.set(Field.row_loss, row_loss)
        self._team = team_of(code, self._jobs)

    @classmethod
    def open(
        cls,
        network: Network,
        spec: PuzzleSpec,
        row_loss: int,
        *,
        batch: int,
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> "LatticeTraining":
        """For this machine; threads: one per core that the process may use, if unset.

        Raises: UnsupportedError.
        """
        isa = host_isa(precision, sizes=(network.hidden_size, network.width))
        code = compiled_training(network, isa)
        return cls(code, spec, row_loss, threads=threads or usable_cores(), batch=batch)

    @property
    def precision(self) -> Precision:
        """Of the factors of its matrix products."""
        return self._code.isa.precision

    def step(
        self,
        weights: LatticeWeights,
        tokens: npt.NDArray[np.int32],
        labels: npt.NDArray[np.int32],
        y: FloatArray,
        z: FloatArray,
    ) -> TrainedStep:
        """One supervision step of every row, its loss and the gradient of the rows' sum.

        tokens, labels: (B, S); y, z: (B, P, D). Raises: ValueError for other shapes.
        """
        cells, state = (self._batch, self._spec.seq_len), (self._batch, *self._row_shape)
        for name, array, shape in (
            ("tokens", tokens, cells),
            ("labels", labels, cells),
            ("y", y, state),
            ("z", z, state),
        ):
            if array.shape != shape:
                raise ValueError(f"{name} is {array.shape}, expected {shape}")
        arrays: dict[Field, npt.NDArray[Any]] = {
            Field.tokens: np.ascontiguousarray(tokens, np.int32),
            Field.labels: np.ascontiguousarray(labels, np.int32),
            Field.y: np.ascontiguousarray(y, np.float32),
            Field.z: np.ascontiguousarray(z, np.float32),
            Field.y_next: np.empty(state, np.float32),
            Field.z_next: np.empty(state, np.float32),
            Field.logits: np.empty((*cells, self._spec.symbols), np.float32),
            Field.answer: np.empty(cells, np.int32),
            Field.q_halt: np.empty(self._batch, np.float32),
            Field.losses: np.zeros((self._batch, LOSS_VALUES), np.float32),
        }
        arrays |= weight_fields(weights, self._code.layout, self._spec)
        arrays[Field.back_blocks] = _pack_transposed(weights, self._code.layout)
        self._gradients[:] = 0
        self._next_row[:] = 0
        for job in self._jobs:
            job.point_at(arrays)
        self._team.run(len(self._jobs))
        return TrainedStep(
            y=arrays[Field.y_next],
            z=arrays[Field.z_next],
            logits=arrays[Field.logits],
            answer=arrays[Field.answer],
            q_halt=arrays[Field.q_halt],
            losses=arrays[Field.losses],
            gradients=self._named_gradients(),
        )

    def _named_gradients(self) -> dict[str, FloatArray]:
        chunks = self._gradients.view(np.float32).reshape(-1, self._gradient_stride())
        total = chunks.sum(0)
        parts = np.split(total, np.cumsum(list(self._floats.values())))
        of = dict(zip(self._floats, parts[:-1], strict=True))
        pairs, size = self._row_shape
        named = _block_gradients(of[Field.d_blocks], self._code.network, self._code.layout)
        return named | {
            "body.roles": of[Field.d_roles].reshape(ROLES, size),
            "body.answer.weight": of[Field.d_read].reshape(1, size),
            "halt.weight": of[Field.d_halt].reshape(1, size) / np.float32(pairs),
            "halt_bias": of[Field.d_halt_bias],
        }

    def _gradient_stride(self) -> int:
        return self._jobs[0].at(Field.gradient_bytes) // FLOAT


def _block_gradients(flat: FloatArray, network: Network, layout: Layout) -> dict[str, FloatArray]:
    """(inputs, outputs) as they were summed -> (outputs, inputs) as the parameters are."""
    size, width = network.hidden_size, network.width
    named = {}
    for block, of_block in enumerate(flat.reshape(network.blocks, layout.block_floats)):
        cut = np.arange(1, len(BLOCK_ARRAYS)) * layout.projection_floats
        for name, part in zip(BLOCK_ARRAYS, np.split(of_block, cut), strict=True):
            inputs = width if name == "out" else size
            named[block_name(block, name)] = np.ascontiguousarray(part.reshape(inputs, -1).T)
    return named


def _pack_transposed(weights: LatticeWeights, layout: Layout) -> Bytes:
    parts = [
        layout.pack(np.ascontiguousarray(weight.T)) for block in weights.blocks for weight in block
    ]
    packed = aligned(sum(map(len, parts)))
    packed[:] = np.concatenate(parts)
    return packed


def _set_tape(job: JobTable, network: Network, layout: Layout, spec: PuzzleSpec) -> int:
    """Where a slot of the tape has what; returns the whole tape's bytes."""
    pairs, groups = spec.seq_len * spec.symbols, GROUP_KINDS * spec.seq_len
    begin = 0
    for field, size in (
        (Field.at_factors, pairs * layout.factor_bytes),
        (Field.at_group_factors, groups * layout.factor_bytes),
        (Field.at_mixed, groups * layout.mixed_bytes),
        (Field.at_whole, pairs * layout.mixed_bytes),
        (Field.at_norms, pairs * FLOAT),
        (Field.at_out, pairs * layout.state_bytes),
    ):
        job.set(field, begin)
        begin += -(-size // ALIGNMENT) * ALIGNMENT
    job.set(Field.tape_slot, begin)
    return begin * (network.latent_recursions + 1) * network.blocks


def _gradient_memory(layout: Layout, spec: PuzzleSpec) -> dict[Field, Bytes]:
    """What one thread alone writes to for gradients."""
    pairs, groups = spec.seq_len * spec.symbols, GROUP_KINDS * spec.seq_len
    sizes = {
        Field.d_logits: FLOAT * pairs,
        Field.d_q: FLOAT,
        Field.d_out: layout.state_bytes * pairs,
        Field.d_question: layout.state_bytes * pairs,
        Field.d_wide: layout.state_bytes * BACK_TILE,
        Field.d_wide_rows: layout.state_bytes * BACK_TILE,
        Field.d_factors: layout.factor_bytes * BACK_TILE,
        Field.d_mixed: layout.mixed_bytes * BACK_TILE,
        Field.d_mixed_factors: layout.mixed_factor_bytes * BACK_TILE,
        Field.wide_h: layout.state_bytes * BACK_TILE,
        Field.wide_inner: layout.mixed_bytes // 2 * BACK_TILE,
        Field.d_groups: layout.mixed_bytes * groups,
        Field.d_sums: layout.state_bytes * groups,
    }
    return {field: aligned(size) for field, size in sizes.items()}
