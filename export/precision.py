"""Step graphs in fewer bits: the same contract, smaller factors in the large matrix products."""

import tempfile
from pathlib import Path

import onnxruntime as ort
from onnxruntime.quantization import QuantType, quantize_dynamic

from export.errors import ExportError
from export.manifest import Precision


def reduce_precision(graph: Path, precision: Precision) -> None:
    """Rewrite a float32 step graph in place. States, norms and sums stay float32.

    int8: weights of matrix products per output channel, their inputs per call, by the range that
    they turn out to have. Raises: ExportError if nothing in the graph can be reduced.
    """
    if precision == "float32":
        return
    with tempfile.TemporaryDirectory() as directory:
        folded = Path(directory) / graph.name
        _fold(graph, folded)
        before = min(graph.stat().st_size, folded.stat().st_size)
        quantize_dynamic(
            folded,
            graph,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
        )
    if graph.stat().st_size >= before:
        raise ExportError(f"{graph.name}: no weights that int8 would make smaller")


def _fold(graph: Path, to: Path) -> None:
    """Compute what is constant: weights are transposed in the graph, and only plain ones count."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(to)
    ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
