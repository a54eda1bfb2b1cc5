"""Memory of an onnxruntime engine that stays where it is: carry, inputs and outputs on the device.

Two buffers hold the carry of as many rows as there ever were at once. A step reads one and writes
the other, and the next step the other way round, so that hidden state is never copied. Inputs and
outputs have a place of their own for every *bucket*, a number of rows to which a step is padded: a
CUDA graph that was captured once needs the same shapes and addresses again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from export.manifest import GraphEntry

STATE_TYPES: dict[str, tuple[str, int]] = {
    # manifest dtype: onnxruntime's name, ONNX element type
    "float32": ("tensor(float)", 1),
    "float16": ("tensor(float16)", 10),
    "bfloat16": ("tensor(bfloat16)", 16),
}
STATES = ("y", "z")
FRESH = -1  # as `source`; padding starts anew in every step, and nobody reads what comes of it


def bucket_of(rows: int, buckets: Sequence[int]) -> int:
    """The smallest bucket that holds so many rows; the rows themselves where none does."""
    return min((bucket for bucket in buckets if bucket >= rows), default=rows)


@final
@dataclass(frozen=True)
class Bucket:
    """The inputs and outputs of steps of so many rows."""

    rows: int
    inputs: dict[str, ort.OrtValue]
    outputs: dict[str, ort.OrtValue]

    def fill(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Copy inputs to the device, padded with fresh rows of nothing."""
        for name, array in arrays.items():
            missing = self.rows - len(array)
            if missing:
                nothing = FRESH if name == "source" else 0
                width = [(0, missing), *[(0, 0)] * (array.ndim - 1)]
                array = np.pad(array, width, constant_values=nothing)
            self.inputs[name].update_inplace(np.ascontiguousarray(array))

    def read(self, name: str, rows: int) -> npt.NDArray[Any]:
        """A copy of the first rows of an output."""
        found: npt.NDArray[Any] = self.outputs[name].numpy()[:rows].copy()
        return found


@final
class StepBuffers:
    """Everything that one engine's steps read and write."""

    def __init__(self, entry: GraphEntry, device: str) -> None:
        self._entry = entry
        self._device = device
        self._buckets: dict[int, Bucket] = {}
        self._element = STATE_TYPES[entry.dtype][1]
        self._turn = 0  # which of the two is read next
        self._carry = self._new_carry(1)

    @property
    def turn(self) -> int:
        """0 or 1: steps of the same turn and bucket use the same addresses."""
        return self._turn

    def bucket(self, rows: int) -> Bucket:
        """The place for steps of so many rows; makes it, and room for their carry, once."""
        if rows not in self._buckets:
            self._buckets[rows] = self._new_bucket(rows)
        if rows > self._capacity:
            self._grow(rows)
        return self._buckets[rows]

    def bind(self, binding: ort.IOBinding, bucket: Bucket) -> None:
        """Point a run at a bucket, at the carry of the step before and at room for the next."""
        for name, value in bucket.inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in bucket.outputs.items():
            binding.bind_ortvalue_output(name, value)
        before, after = self._carry[self._turn], self._carry[1 - self._turn]
        for name in STATES:
            binding.bind_ortvalue_input(name, before[name])
            binding.bind_output(
                f"{name}_next",
                self._device,
                0,
                self._element,
                self._state_shape(bucket.rows),
                after[name].data_ptr(),
            )

    def swap(self) -> None:
        """What was written is what the next step reads."""
        self._turn = 1 - self._turn

    @property
    def _capacity(self) -> int:
        return int(self._carry[0]["y"].shape()[0])

    def _grow(self, rows: int) -> None:
        """More room; what the next step reads moves along."""
        new = self._new_carry(rows)
        for name in STATES:
            old = self._carry[self._turn][name].numpy()
            kept = np.zeros((rows, *old.shape[1:]), old.dtype)
            kept[: len(old)] = old
            new[self._turn][name].update_inplace(kept)
        self._carry = new

    def _new_carry(self, rows: int) -> tuple[dict[str, ort.OrtValue], dict[str, ort.OrtValue]]:
        first, second = (
            {name: self._new(self._state_shape(rows), self._element) for name in STATES}
            for _ in range(2)
        )
        return first, second

    def _new_bucket(self, rows: int) -> Bucket:
        spec = self._entry.spec
        inputs = {
            "tokens": self._new((rows, spec.seq_len), np.int32),
            "source": self._new((rows,), np.int64),
            "noise": self._new((rows, self._entry.state_len), np.float32),
        }
        if spec.uses_task:
            inputs["task"] = self._new((rows,), np.int64)
        outputs = {
            "answer": self._new((rows, spec.seq_len), np.int32),
            "q_halt": self._new((rows,), np.float32),
        }
        if spec.symbols:
            outputs["logits"] = self._new((rows, spec.seq_len, spec.symbols), np.float32)
        return Bucket(rows, inputs, outputs)

    def _state_shape(self, rows: int) -> tuple[int, int, int]:
        return rows, self._entry.state_len, self._entry.hidden_size

    def _new(self, shape: tuple[int, ...], element: Any) -> ort.OrtValue:
        return ort.OrtValue.ortvalue_from_shape_and_type(shape, element, self._device, 0)
