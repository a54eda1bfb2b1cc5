"""Supervision steps of a lattice on the CPU: rows divided among threads, carry kept between."""

import os
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from kernel.compiled import Compiled, compiled_step
from kernel.fields import puzzle_fields, puzzle_numbers, step_memory, weight_fields
from kernel.geometry import geometry_of
from kernel.isa import Precision, host_isa
from kernel.job import Field
from kernel.layout import FloatArray
from kernel.memory import Bytes, JobTable, aligned
from kernel.team import team_of
from kernel.weights import LatticeWeights
from puzzles.kind import PuzzleSpec


@dataclass(frozen=True)
class KernelAnswers:
    """answer: (B, S) int32 tokens; q_halt: (B,) float32 logit; logits: (B, S, N) float32."""

    answer: npt.NDArray[np.int32]
    q_halt: FloatArray
    logits: FloatArray


@final
class LatticeKernel:
    """One model on one puzzle size. Not thread-safe: one step at a time."""

    def __init__(
        self, step: Compiled, weights: LatticeWeights, spec: PuzzleSpec, *, threads: int
    ) -> None:
        """Put a model's weights behind the code of its network.

        Raises: UnsupportedError for a puzzle that is no lattice.
        """
        self._step = step
        self._spec = spec
        geometry = geometry_of(step.network.cell, spec)
        self.state_len = geometry.pairs
        self._row_shape = (self.state_len, step.network.hidden_size)
        self._model = weight_fields(weights, step.layout, geometry)
        self._model |= puzzle_fields(geometry, step.layout)
        self._next_row = np.zeros(1, np.int64)
        self._jobs = [JobTable() for _ in range(threads)]
        for job in self._jobs:
            job.own({Field.next_row: self._next_row})
            job.own(self._model)
            job.own(step_memory(step.layout, geometry))
            job.set_all(puzzle_numbers(spec, geometry, step.layout))
        self._team = team_of(step, self._jobs)
        self._rows = 0
        self._carry, self._next = self._buffers(1), self._buffers(1)

    @classmethod
    def open(
        cls,
        weights: LatticeWeights,
        spec: PuzzleSpec,
        *,
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> "LatticeKernel":
        """For this machine; threads: one per core that the process may use, if unset.

        Raises: UnsupportedError.
        """
        network = weights.network
        isa = host_isa(precision, sizes=network.sizes)
        step = compiled_step(network, isa)
        return cls(step, weights, spec, threads=threads or usable_cores())

    @property
    def precision(self) -> Precision:
        """Of the factors of its matrix products."""
        return self._step.isa.precision

    def _buffers(self, rows: int) -> tuple[Bytes, Bytes]:
        size = rows * self._row_shape[0] * self._row_shape[1] * 4
        return aligned(size), aligned(size)

    @property
    def carry(self) -> tuple[FloatArray, FloatArray]:
        """y and z after the last step, (B, L, D) float32; the next step but one overwrites them."""
        y, z = (
            buffer.view(np.float32)[: self._rows * self._row_shape[0] * self._row_shape[1]]
            for buffer in self._carry
        )
        return y.reshape(-1, *self._row_shape), z.reshape(-1, *self._row_shape)

    def reset(self) -> None:
        """Forget the carry; every row of the next step must be fresh."""
        self._rows = 0

    def step(
        self,
        tokens: npt.NDArray[np.int32],
        source: npt.NDArray[np.int64],
        noise: FloatArray,
    ) -> KernelAnswers:
        """One supervision step, as the step graph takes it.

        tokens: (B, S); source: (B,) row of the step before that a row continues, negative: fresh;
        noise: (B, L), read at fresh rows. Raises: ValueError for other shapes, or such a source.
        """
        rows = len(tokens)
        for name, array, shape in (
            ("tokens", tokens, (rows, self._spec.seq_len)),
            ("source", source, (rows,)),
            ("noise", noise, (rows, self.state_len)),
        ):
            if array.shape != shape:
                raise ValueError(f"{name} is {array.shape}, expected {shape}")
        if rows and source.max() >= self._rows:
            raise ValueError(f"source {source.max()}: the step before had {self._rows} rows")
        if len(self._next[0]) < rows * self._row_shape[0] * self._row_shape[1] * 4:
            self._next = self._buffers(rows)
        arrays: dict[Field, npt.NDArray[Any]] = {
            Field.tokens: np.ascontiguousarray(tokens, np.int32),
            Field.source: np.ascontiguousarray(source, np.int64),
            Field.noise: np.ascontiguousarray(noise, np.float32),
            Field.logits: np.empty((rows, self._spec.seq_len, self._spec.symbols), np.float32),
            Field.answer: np.empty((rows, self._spec.seq_len), np.int32),
            Field.q_halt: np.empty(rows, np.float32),
        }
        arrays |= zip((Field.y, Field.z), self._carry, strict=True)
        arrays |= zip((Field.y_next, Field.z_next), self._next, strict=True)
        # Rows are taken one by one: a thread whose core is busy with something else takes fewer.
        self._next_row[:] = 0
        for job in self._jobs:
            job.point_at(arrays)
            job.set(Field.rows, rows)
        self._team.run(max(1, min(rows, len(self._jobs))))
        self._carry, self._next = self._next, self._carry
        self._rows = rows
        return KernelAnswers(arrays[Field.answer], arrays[Field.q_halt], arrays[Field.logits])


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
