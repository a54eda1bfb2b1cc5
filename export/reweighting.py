"""A step graph that exists, with the weights of another model of the same network.

A step graph holds each weight as it is, in an initializer of its own; what is made of weights, the
graph computes (onnxruntime once, when it opens it). And it says which network it is a step of. So a
graph with other weights is what a whole export of their model would write, made in milliseconds;
and a graph that holds anything else, folded weights say, is told apart and refused.
"""

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from pydantic import ValidationError
from torch import Tensor

from export.contract import check_contract
from export.errors import ReweightingError
from export.manifest import BundleError, Manifest
from model.config import ModelConfig
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec

PREFIX = "trm."  # of a weight's name: what is traced has the model as this attribute
NETWORK = "network"  # in a graph's metadata: its ModelConfig as JSON, whatever tasks it knows


def graph_weights(trm: TinyRecursiveModel) -> dict[str, Tensor]:
    """A model's weights, by the name of the initializer that holds each in a step graph."""
    return {f"{PREFIX}{name}": weight for name, weight in trm.state_dict(keep_vars=True).items()}


def graph_tables(trm: TinyRecursiveModel) -> dict[str, Tensor]:
    """What a step graph holds besides, by name: tables that are no weights (rotary positions).

    A table that blocks share has the name of any of them in a graph.
    """
    weights = graph_weights(trm)
    named = {f"{PREFIX}{name}": table for name, table in trm.named_buffers(remove_duplicate=False)}
    return {name: table for name, table in named.items() if name not in weights}


def name_network(graph: onnx.ModelProto, config: ModelConfig) -> None:
    """Have a step graph say which network it is a step of."""
    onnx.helper.set_model_props(graph, {NETWORK: config.model_dump_json(exclude={"tasks"})})


def write_reweighted_graph(
    trm: TinyRecursiveModel, spec: PuzzleSpec, like: Path, path: Path
) -> None:
    """Write the step graph that the bundle `like` has of a puzzle, with the weights of `trm`.

    Of several networks' graphs that of the same network.
    Raises: ReweightingError naming all that does not fit; ContractError.
    """
    graph = _graph_of(like, spec, trm.config)
    reweight(graph, trm)
    onnx.checker.check_model(graph, full_check=True)
    check_contract(graph.graph, spec, trm.state_len(spec.seq_len), trm.config.hidden_size)
    onnx.save(graph, path)


def reweight(graph: onnx.ModelProto, trm: TinyRecursiveModel) -> None:
    """Exchange every weight of a step graph, in place; a table of tasks may change its rows.

    Raises: ReweightingError if the graph is of another network, lacks a weight or holds a value
    that is none; nothing has changed then.
    """
    held = {initializer.name: initializer for initializer in graph.graph.initializer}
    problems = [*_network_problems(graph, trm.config), *_weight_problems(held, trm)]
    if problems:
        raise ReweightingError("step graph with other weights", problems)
    for name, weight in graph_weights(trm).items():
        values = np.ascontiguousarray(weight.detach().cpu().numpy())
        held[name].CopyFrom(numpy_helper.from_array(values, name))
    for told in graph.graph.value_info:
        if told.name in held:  # as large as before, but for the table of tasks
            for size, axis in zip(
                held[told.name].dims, told.type.tensor_type.shape.dim, strict=True
            ):
                axis.dim_value = size


def _graph_of(bundle: Path, spec: PuzzleSpec, config: ModelConfig) -> onnx.ModelProto:
    """Of this network, or the first one if there is none."""
    try:
        manifest = Manifest.read(bundle)
    except BundleError as error:
        raise ReweightingError("step graph with other weights", [str(error)]) from error
    graphs = [
        onnx.load(bundle / entry.file)
        for entry in (*manifest.graphs, *manifest.voters)
        if entry.spec == spec and entry.precision == entry.dtype == "float32"
    ]
    if not graphs:
        raise ReweightingError(str(bundle), [f"no float32 graph for {spec.name}"])
    return next((graph for graph in graphs if not _network_problems(graph, config)), graphs[0])


def _network_problems(graph: onnx.ModelProto, config: ModelConfig) -> list[str]:
    said = {entry.key: entry.value for entry in graph.metadata_props}.get(NETWORK)
    if said is None:
        return ["it does not say which network it is of"]
    try:
        network = ModelConfig.model_validate_json(said)
    except ValidationError as error:
        return [f"it is of a network that is not known here: {error}"]
    if network != config.model_copy(update={"tasks": network.tasks}):
        return [f"it is of another network: {said}"]
    return []


def _weight_problems(held: dict[str, TensorProto], trm: TinyRecursiveModel) -> list[str]:
    weights, tables = graph_weights(trm), graph_tables(trm)
    problems = [f"{name} is missing" for name in weights if name not in held]
    for name, found in held.items():
        shape, is_float = tuple(found.dims), found.data_type == TensorProto.FLOAT
        if name in weights:
            expected = tuple(weights[name].shape)
            if weights[name] is trm.body.tasks:
                expected = (*shape[:1], *expected[1:])
            if not is_float or shape != expected:
                form = TensorProto.DataType.Name(found.data_type).lower()
                problems.append(f"{name} is {form} {shape}, expected float {expected}")
        # A scalar is a constant of the code; anything larger may have been made of weights.
        elif is_float and math.prod(shape) > 1 and name not in tables:
            problems.append(f"{name} {shape} is no weight")
    return problems
