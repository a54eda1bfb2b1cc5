"""One supervision step as an ONNX graph: recursions unrolled, weights stored once, by name."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import final

import onnx
import torch
from onnx_ir.passes import Sequential
from onnx_ir.passes.common import (
    ClearMetadataAndDocStringPass,
    CommonSubexpressionEliminationPass,
    DeduplicateInitializersPass,
)
from torch import Tensor, nn

from export.contract import BATCH, PREVIOUS_BATCH, check_contract, step_inputs, step_outputs
from export.contract import Tensor as ContractTensor
from export.errors import ExportError
from export.reweighting import graph_tables, graph_weights, name_network
from model.stepper import symbol_logits
from model.trm import Carry, TinyRecursiveModel
from puzzles.kind import PuzzleSpec

OPSET = 18  # ReduceMean with axes as an input; every onnxruntime since 1.14 runs it
ANY_SIZE = 2**40  # of an initializer that is stored once


@final
class StepModule(nn.Module):
    """The model behind the graph's contract. For `write_step_graph` only: never call it otherwise.

    Adds what the server must not do itself: start states, `source`, arg-max.
    """

    def __init__(self, trm: TinyRecursiveModel, spec: PuzzleSpec) -> None:
        super().__init__()
        self.trm = trm
        self.spec = spec

    def forward(self, tokens: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Inputs and outputs in the order of `export.contract`."""
        task, (source, noise, y, z) = self._split(tokens, rest)
        fresh = (source < 0).unsqueeze(-1).unsqueeze(-1)
        row = source.clamp(min=0)
        start = self.trm.start(noise)
        carry = Carry(
            torch.where(fresh, start.y, y.index_select(0, row)),
            torch.where(fresh, start.z, z.index_select(0, row)),
        )
        output = self.trm(tokens.to(torch.int64), carry, task)  # ONNX gathers by int64 only
        answer = output.logits.argmax(-1).to(torch.int32)
        logits = symbol_logits(output.logits, self.spec)
        found = (output.carry.y, output.carry.z, answer, output.q_halt)
        return found if logits is None else (*found, logits)

    def _split(
        self, tokens: Tensor, rest: tuple[Tensor, ...]
    ) -> tuple[Tensor | None, tuple[Tensor, ...]]:
        if self.spec.uses_task:
            return rest[0], rest[1:]
        if self.trm.config.tasks:  # a puzzle without tasks is the table's row 0
            return torch.zeros_like(tokens[:, 0], dtype=torch.int64), rest
        return None, rest


def write_step_graph(trm: TinyRecursiveModel, spec: PuzzleSpec, path: Path) -> None:
    """Trace, simplify, check and write the step graph of one puzzle size.

    Raises: ExportError; ContractError if the result is not what `export.contract` promises.
    """
    state_len, hidden_size = trm.state_len(spec.seq_len), trm.config.hidden_size
    inputs = step_inputs(spec, state_len, hidden_size)
    outputs = step_outputs(spec, state_len, hidden_size)
    with _quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            StepModule(trm, spec).eval(),
            _example(spec, state_len, hidden_size),
            input_names=[tensor.name for tensor in inputs],
            output_names=[tensor.name for tensor in outputs],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            optimize=False,
            dynamic_shapes=_dynamic_axes(inputs),
        )
        if program is None:
            raise ExportError(f"torch made no graph of {spec.name}")
        _simplify(program, trm)
    graph = program.model_proto
    name_network(graph, trm.config)
    onnx.checker.check_model(graph, full_check=True)
    check_contract(graph.graph, spec, state_len, hidden_size)
    onnx.save(graph, path)


def _simplify(program: torch.onnx.ONNXProgram, trm: TinyRecursiveModel) -> None:
    """Fold, share and tidy; but every weight stays as it is (export.reweighting)."""
    graph = program.model.graph
    inputs = len(graph.inputs)
    # To these passes an input may hold anything: they leave it, and compute nothing from it.
    kept = graph_weights(trm) | graph_tables(trm)
    graph.inputs.extend(value for name, value in graph.initializers.items() if name in kept)
    program.optimize()
    tidy = Sequential(
        CommonSubexpressionEliminationPass(),  # a weight is transposed once, not once per use
        DeduplicateInitializersPass(ANY_SIZE),
        ClearMetadataAndDocStringPass(),  # which holds this machine's paths
    )
    tidy(program.model)
    del program.model.graph.inputs[inputs:]


def _example(spec: PuzzleSpec, state_len: int, hidden_size: int) -> tuple[Tensor, ...]:
    """Inputs to trace with; sizes that differ keep the two batch axes apart."""
    batch, previous = 3, 2
    task = (torch.zeros(batch, dtype=torch.int64),) if spec.uses_task else ()
    return (
        torch.full((batch, spec.seq_len), spec.pad_token, dtype=torch.int32),
        *task,
        torch.full((batch,), -1),
        torch.zeros(batch, state_len),
        torch.zeros(previous, state_len, hidden_size),
        torch.zeros(previous, state_len, hidden_size),
    )


def _dynamic_axes(inputs: tuple[ContractTensor, ...]) -> tuple[object, ...]:
    """The batch axes of `StepModule.forward(tokens, *rest)`."""
    sizes = {name: torch.export.Dim(name, min=1) for name in (BATCH, PREVIOUS_BATCH)}
    axes = [{0: sizes[str(tensor.shape[0])]} for tensor in inputs]
    return axes[0], tuple(axes[1:])


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence what the exporter says of itself: deprecations, torchvision's absence, its passes."""
    logs = [logging.getLogger(name) for name in ("torch.onnx._internal.exporter", "onnx_ir")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*LeafSpec", FutureWarning)
            warnings.filterwarnings("ignore", r"# The axis name", UserWarning)
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
