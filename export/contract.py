"""The tensors of a step graph: what the exporter promises and the server relies on."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from export.errors import NameMismatchError, ShapeMismatchError
from puzzles.kind import PuzzleSpec

BATCH = "batch"
PREVIOUS_BATCH = "previous_batch"  # rows of the carry that comes in; independent of BATCH


@dataclass(frozen=True)
class Tensor:
    """One input or output: its ONNX element type, and per axis a size or a dynamic axis' name."""

    name: str
    dtype: int
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{TensorProto.DataType.Name(self.dtype).lower()} {self.shape}"


def step_inputs(spec: PuzzleSpec, state_len: int, hidden_size: int) -> tuple[Tensor, ...]:
    """tokens, task (where the puzzle has tasks), source, noise, y, z."""
    carry = (PREVIOUS_BATCH, state_len, hidden_size)
    task = (Tensor("task", TensorProto.INT64, (BATCH,)),) if spec.uses_task else ()
    return (
        Tensor("tokens", TensorProto.INT32, (BATCH, spec.seq_len)),
        *task,
        Tensor("source", TensorProto.INT64, (BATCH,)),
        Tensor("noise", TensorProto.FLOAT, (BATCH, state_len)),
        Tensor("y", TensorProto.FLOAT, carry),
        Tensor("z", TensorProto.FLOAT, carry),
    )


def step_outputs(spec: PuzzleSpec, state_len: int, hidden_size: int) -> tuple[Tensor, ...]:
    """y_next, z_next, answer, q_halt, logits (where the puzzle has units)."""
    carry = (BATCH, state_len, hidden_size)
    of_symbols = Tensor("logits", TensorProto.FLOAT, (BATCH, spec.seq_len, spec.symbols))
    logits = (of_symbols,) if spec.symbols else ()
    return (
        Tensor("y_next", TensorProto.FLOAT, carry),
        Tensor("z_next", TensorProto.FLOAT, carry),
        Tensor("answer", TensorProto.INT32, (BATCH, spec.seq_len)),
        Tensor("q_halt", TensorProto.FLOAT, (BATCH,)),
        *logits,
    )


def check_contract(
    graph: onnx.GraphProto, spec: PuzzleSpec, state_len: int, hidden_size: int
) -> None:
    """Compare a graph with its contract.

    Raises: NameMismatchError, or ShapeMismatchError where the names fit; both name every mismatch.
    """
    sides = (
        ("input", step_inputs(spec, state_len, hidden_size), _tensors(graph.input)),
        ("output", step_outputs(spec, state_len, hidden_size), _tensors(graph.output)),
    )
    names = [problem for side in sides for problem in _name_problems(*side)]
    if names:
        raise NameMismatchError(f"step graph of {spec.name}", names)
    shapes = [
        f"{side} {want.name} is {got}, expected {want}"
        for side, expected, found in sides
        for want, got in zip(expected, found, strict=True)
        if want != got
    ]
    if shapes:
        raise ShapeMismatchError(f"step graph of {spec.name}", shapes)


def _name_problems(side: str, expected: Sequence[Tensor], found: Sequence[Tensor]) -> list[str]:
    want, got = [tensor.name for tensor in expected], [tensor.name for tensor in found]
    problems = [f"{side} {name} is missing" for name in want if name not in got]
    problems += [f"{side} {name} is unknown" for name in got if name not in want]
    if not problems and want != got:
        problems.append(f"{side}s are {', '.join(got)}, expected {', '.join(want)}")
    return problems


def _tensors(values: Sequence[onnx.ValueInfoProto]) -> list[Tensor]:
    return [
        Tensor(
            value.name,
            value.type.tensor_type.elem_type,
            tuple(d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim),
        )
        for value in values
    ]
