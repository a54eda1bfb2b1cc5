"""Supervision steps with gradients on the CPU, rows divided among threads."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from kernel.compiled import Compiled, compiled_training
from kernel.fields import (
    back_weight_fields,
    gradient_memory,
    puzzle_fields,
    puzzle_numbers,
    set_tape,
    step_memory,
    weight_fields,
)
from kernel.geometry import geometry_of
from kernel.isa import Precision, host_isa
from kernel.job import Field
from kernel.lattice import usable_cores
from kernel.layout import FLOAT, ROLES, FloatArray, Layout, Network
from kernel.memory import ALIGNMENT, JobTable, aligned
from kernel.network_code import cell_code
from kernel.team import team_of
from kernel.train_code import LOSS_VALUES, gradient_floats
from kernel.weights import MATRICES, Weights, around_name, attention_name, block_name
from puzzles.kind import PuzzleSpec

CHUNKS = 16  # of a batch: so many sums of gradients, whatever the number of threads


@dataclass(frozen=True)
class TrainedStep:
    """y, z: (B, P, D) float32, the new carry; logits: (B, S, N) float32, of each cell's symbols.

    answer: (B, S) int32; q_halt: (B,) float32 logit.

    losses: (B, LOSS_VALUES) float32, what the rows' losses reported; gradients: summed over the
    rows, named and shaped as the model's parameters; told_gradients: (B, P, D), of what the rows
    were told, of a lattice (0, P, D).
    """

    y: FloatArray
    z: FloatArray
    logits: FloatArray
    answer: npt.NDArray[np.int32]
    q_halt: FloatArray
    losses: FloatArray
    gradients: dict[str, FloatArray]
    told_gradients: FloatArray


@final
class KernelTraining:
    """One network on one puzzle size. Not thread-safe: one step at a time."""

    def __init__(
        self, code: Compiled, spec: PuzzleSpec, row_loss: int, *, threads: int, batch: int
    ) -> None:
        """row_loss: address of a C function `kernel.train_code.ROW_LOSS`; batch: rows of a step.

        Raises: UnsupportedError for a puzzle that does not suit the network's cell.
        """
        self._code = code
        self._spec = spec
        self._batch = batch
        self._geometry = geometry = geometry_of(code.network.cell, spec)
        self._row_shape = (geometry.pairs, code.network.hidden_size)
        self._floats = gradient_floats(code.network, code.layout)
        of_chunk = -(-sum(self._floats.values()) * FLOAT // ALIGNMENT) * ALIGNMENT
        chunk_rows = -(-batch // CHUNKS)
        self._gradients = aligned(of_chunk * -(-batch // chunk_rows))
        self._next_row = np.zeros(1, np.int64)
        # Rows continue where they stood, and labels say where they end.
        shared = puzzle_fields(geometry, code.layout) | {
            Field.next_row: self._next_row,
            Field.source: np.arange(batch, dtype=np.int64),
            Field.noise: np.zeros((batch, self._row_shape[0]), np.float32),
            Field.gradients: self._gradients,
        }
        self._jobs = [JobTable() for _ in range(threads)]
        for job in self._jobs:
            job.own(shared)
            job.own(step_memory(code.layout, geometry) | gradient_memory(code.layout, geometry))
            kept = cell_code(code.network).kept
            tape = set_tape(job, kept, code.network, code.layout, geometry)
            job.own({Field.tape: aligned(tape)})
            job.set_all(puzzle_numbers(spec, geometry, code.layout))
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
    ) -> "KernelTraining":
        """For this machine; threads: one per core that the process may use, if unset.

        Raises: UnsupportedError.
        """
        isa = host_isa(precision, sizes=network.sizes)
        code = compiled_training(network, isa)
        return cls(code, spec, row_loss, threads=threads or usable_cores(), batch=batch)

    @property
    def precision(self) -> Precision:
        """Of the factors of its matrix products."""
        return self._code.isa.precision

    def step(
        self,
        weights: Weights,
        tokens: npt.NDArray[np.int32],
        labels: npt.NDArray[np.int32],
        y: FloatArray,
        z: FloatArray,
        told: FloatArray | None = None,
    ) -> TrainedStep:
        """One supervision step of every row, its loss and the gradient of the rows' sum.

        tokens, labels: (B, S); y, z: (B, P, D); told: (B, P, D), what is added to x, of palettes
        only. Raises: ValueError for other shapes.
        """
        cells, state = (self._batch, self._spec.seq_len), (self._batch, *self._row_shape)
        of_told = self._told_shape
        told = np.zeros(of_told, np.float32) if told is None else told
        for name, array, shape in (
            ("tokens", tokens, cells),
            ("labels", labels, cells),
            ("y", y, state),
            ("z", z, state),
            ("told", told, of_told),
        ):
            if array.shape != shape:
                raise ValueError(f"{name} is {array.shape}, expected {shape}")
        arrays: dict[Field, npt.NDArray[Any]] = {
            Field.tokens: np.ascontiguousarray(tokens, np.int32),
            Field.labels: np.ascontiguousarray(labels, np.int32),
            Field.y: np.ascontiguousarray(y, np.float32),
            Field.z: np.ascontiguousarray(z, np.float32),
            Field.told: np.ascontiguousarray(told, np.float32),
            Field.d_told: np.empty(of_told, np.float32),
            Field.y_next: np.empty(state, np.float32),
            Field.z_next: np.empty(state, np.float32),
            Field.logits: np.empty((*cells, self._geometry.symbols), np.float32),
            Field.answer: np.empty(cells, np.int32),
            Field.q_halt: np.empty(self._batch, np.float32),
            Field.losses: np.zeros((self._batch, LOSS_VALUES), np.float32),
        }
        arrays |= weight_fields(weights, self._code.layout, self._geometry)
        arrays |= back_weight_fields(weights, self._code.layout)
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
            told_gradients=arrays[Field.d_told],
        )

    @property
    def _told_shape(self) -> tuple[int, int, int]:
        return self._batch if self._code.network.cell == "palette" else 0, *self._row_shape

    def _named_gradients(self) -> dict[str, FloatArray]:
        chunks = self._gradients.view(np.float32).reshape(-1, self._gradient_stride())
        total = chunks.sum(0)
        parts = np.split(total, np.cumsum(list(self._floats.values())))
        of = dict(zip(self._floats, parts[:-1], strict=True))
        pairs, size = self._row_shape
        named = _block_gradients(of[Field.d_blocks], self._code.network, self._code.layout)
        return named | {
            "body.roles": of[Field.d_roles].reshape(ROLES[self._code.network.cell], size),
            "body.answer.weight": of[Field.d_read].reshape(1, size),
            "halt.weight": of[Field.d_halt].reshape(1, size) / np.float32(pairs),
            "halt_bias": of[Field.d_halt_bias],
        }

    def _gradient_stride(self) -> int:
        return self._jobs[0].at(Field.gradient_bytes) // FLOAT


def _block_gradients(flat: FloatArray, network: Network, layout: Layout) -> dict[str, FloatArray]:
    """Matrices, (inputs, outputs) as they were summed -> (outputs, inputs) as the parameters are.

    Neighbours as the model's parameter is: three lines of three.
    """
    size, width, names = network.hidden_size, network.width, MATRICES[network.cell]
    named = {}
    for block, of_block in enumerate(flat.reshape(network.blocks, layout.block_floats)):
        starts = [layout.around_floats_at, layout.qkv_floats_at, layout.seen_floats_at]
        matrices, around, qkv, seen = np.split(of_block, starts)
        cut = np.arange(1, len(names)) * layout.projection_floats
        for name, part in zip(names, np.split(matrices, cut), strict=True):
            inputs = width if name == "out" else size
            named[block_name(block, name)] = np.ascontiguousarray(part.reshape(inputs, -1).T)
        if layout.neighbours:
            named[around_name(block)] = around.reshape(3, 3, size)
        if layout.unit_key:
            of_qkv = qkv.reshape(size, -1)[:, : 3 * layout.unit_key].T
            named[attention_name(block, "qkv")] = np.ascontiguousarray(of_qkv)
            named[attention_name(block, "out")] = np.ascontiguousarray(seen.reshape(-1, size).T)
    return named
