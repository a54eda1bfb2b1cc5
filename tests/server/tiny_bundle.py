"""A bundle whose network can be foretold: real onnxruntime graphs that solve by a simple rule.

The graph counts supervision steps in y and knows solutions by heart. It answers with the first
known solution that fits the givens once it has taken as many steps as the question has empty cells,
and with the question itself before that; q_halt = steps − empty cells + 0.5. A question with more
than `HARD` empty cells is only ever solved by a row that began with noise (z keeps whether it did).
A question with exactly `breaks_at` empty cells makes onnxruntime fail.
"""

import contextlib
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.manifest import (
    Accuracy,
    GraphEntry,
    Manifest,
    ParityReport,
    SourceCheckpoint,
    file_sha256,
)
from puzzles.errors import InvalidGridError
from puzzles.kind import Grid, PuzzleKind, PuzzleSpec
from puzzles.registry import by_name
from puzzles.restarts import Restart

HARD = 10  # empty cells above which the first attempt fails
HIDDEN = 2
FOUR = by_name("sudoku-4x4")
NINE = by_name("sudoku-9x9")
NINE_QUESTION = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
NINE_SOLUTION = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"


@functools.cache
def four_solutions() -> tuple[Grid, ...]:
    """All 288 complete 4×4 grids, in lexical order."""
    found = [np.zeros((4, 4), np.uint8)]
    for r in range(4):
        longer = []
        for grid, row in itertools.product(found, itertools.permutations((1, 2, 3, 4))):
            candidate = grid.copy()
            candidate[r] = row
            with contextlib.suppress(InvalidGridError):
                FOUR.check(candidate)
                longer.append(candidate)
        found = longer
    return tuple(found)


def with_empty(solution: Grid, empty: int) -> Grid:
    """A question with this many empty cells, the first ones."""
    question = solution.copy()
    question.ravel()[:empty] = 0
    return question


def write_bundle(
    directory: Path,
    puzzles: Sequence[PuzzleKind] = (FOUR, NINE),
    *,
    name: str = "tiny",
    restart: Restart | None = None,
    breaks_at: int | None = None,
) -> Manifest:
    """A bundle of one graph per puzzle at `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    solutions = {
        FOUR.spec.name: four_solutions,
        NINE.spec.name: lambda: [NINE.parse(NINE_SOLUTION)],
    }
    entries = []
    for puzzle in puzzles:
        spec = puzzle.spec
        path = directory / f"step-{spec.name}.onnx"
        known = np.stack([puzzle.encode(grid) for grid in solutions[spec.name]()])
        onnx.save(step_graph(spec, known, breaks_at=breaks_at), path)
        entries.append(_entry(path, spec))
    manifest = Manifest(
        name=name,
        cell="lattice",
        opset=18,
        parameters=0,
        latent_recursions=1,
        deep_recursions=1,
        trained_supervision_steps=16,
        source=SourceCheckpoint(name=name, sha256="0" * 64, optimizer_steps=0),
        restart=restart or Restart(by="noise", noise_scale=0.5),
        graphs=tuple(entries),
        accuracy=(
            Accuracy(
                data="by heart",
                puzzles=1,
                supervision_steps=16,
                attempts=1,
                exact=1.0,
                verified=1.0,
            ),
        ),
    )
    manifest.write(directory)
    return manifest


def _entry(path: Path, spec: PuzzleSpec) -> GraphEntry:
    return GraphEntry(
        spec=spec,
        file=path.name,
        sha256=file_sha256(path),
        state_len=spec.seq_len,
        hidden_size=HIDDEN,
        parity=ParityReport(
            puzzles=1,
            supervision_steps=1,
            same_answers=1,
            same_steps=1,
            largest_q_halt_difference=0.0,
        ),
    )


def step_graph(
    spec: PuzzleSpec, known: np.ndarray, *, breaks_at: int | None = None
) -> onnx.ModelProto:
    """The graph of the module's docstring; known: (N, S) int32 tokens of complete grids."""
    nodes = [*_carry_nodes(), *_solving_nodes(), *_answer_nodes()]
    constants = {
        "known": known.astype(np.int32)[np.newaxis],
        "empty_token": np.array(1, np.int32),
        "hard": np.array(HARD, np.float32),
        "never": np.array(1e6, np.float32),
        "zero": np.array(0, np.int64),
        "zero_f": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "half": np.array(0.5, np.float32),
        "breaks_at": np.array(-1 if breaks_at is None else breaks_at, np.float32),
        "beyond": np.array(99, np.int64),
        "only": np.zeros(1, np.float32),
        "axis_0": np.array([0], np.int64),
        "axis_1": np.array([1], np.int64),
        "axis_2": np.array([2], np.int64),
        "axes_12": np.array([1, 2], np.int64),
        "symbols": np.arange(2, 2 + spec.symbols, dtype=np.int32).reshape(1, 1, -1),
        "nine": np.array(9, np.float32),
    }
    state = ("previous_batch", spec.seq_len, HIDDEN)
    graph = helper.make_graph(
        nodes,
        f"tiny-{spec.name}",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT32, ("batch", spec.seq_len)),
            helper.make_tensor_value_info("source", TensorProto.INT64, ("batch",)),
            helper.make_tensor_value_info("noise", TensorProto.FLOAT, ("batch", spec.seq_len)),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, state),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, state),
        ],
        [
            helper.make_tensor_value_info("y_next", TensorProto.FLOAT, ("batch", *state[1:])),
            helper.make_tensor_value_info("z_next", TensorProto.FLOAT, ("batch", *state[1:])),
            helper.make_tensor_value_info("answer", TensorProto.INT32, ("batch", spec.seq_len)),
            helper.make_tensor_value_info("q_halt", TensorProto.FLOAT, ("batch",)),
            helper.make_tensor_value_info(
                "logits", TensorProto.FLOAT, ("batch", spec.seq_len, spec.symbols)
            ),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(made, full_check=True)
    return made


def _node(kind: str, inputs: str, output: str, **attributes: int) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def _carry_nodes() -> list[onnx.NodeProto]:
    """y: one more step than before. z: |noise| of the row's start."""
    return [
        _node("Less", "source zero", "fresh_row"),
        _node("Unsqueeze", "fresh_row axes_12", "fresh"),
        _node("Max", "source zero", "row"),
        _node("Gather", "y row", "y_before", axis=0),
        _node("Where", "fresh zero_f y_before", "y_start"),
        _node("Add", "y_start one", "y_next"),
        _node("Gather", "z row", "z_before", axis=0),
        _node("Unsqueeze", "noise axis_2", "noise_3"),
        _node("Abs", "noise_3", "loud"),
        _node("Where", "fresh loud z_before", "z_start"),
        helper.make_node("Shape", ["y_start"], ["state_shape"]),
        _node("Expand", "z_start state_shape", "z_next"),
    ]


def _solving_nodes() -> list[onnx.NodeProto]:
    """steps taken, steps needed."""
    return [
        _node("ReduceMax", "y_next axes_12", "steps", keepdims=0),
        _node("ReduceMax", "z_next axes_12", "loudest", keepdims=0),
        _node("Equal", "tokens empty_token", "is_empty"),
        _node("Cast", "is_empty", "is_empty_f", to=TensorProto.FLOAT),
        _node("ReduceSum", "is_empty_f axis_1", "empty", keepdims=0),
        _node("Greater", "empty hard", "is_hard"),
        _node("Equal", "loudest zero_f", "is_quiet"),
        _node("And", "is_hard is_quiet", "is_stuck"),
        _node("Where", "is_stuck never empty", "needed"),
        _node("Equal", "empty breaks_at", "breaks"),
        _node("Where", "breaks beyond zero", "where_from"),
        _node("Gather", "only where_from", "nothing", axis=0),
        _node("Sub", "steps needed", "over"),
        _node("Add", "over nothing", "over_all"),
        _node("Add", "over_all half", "q_halt"),
    ]


def _answer_nodes() -> list[onnx.NodeProto]:
    """The first known solution that fits, or the question back."""
    return [
        _node("Unsqueeze", "tokens axis_1", "tokens_3"),
        _node("Unsqueeze", "is_empty axis_1", "is_empty_3"),
        _node("Equal", "tokens_3 known", "same"),
        _node("Or", "same is_empty_3", "fits_cell"),
        _node("Cast", "fits_cell", "fits_cell_f", to=TensorProto.FLOAT),
        _node("ReduceMin", "fits_cell_f axis_2", "fits", keepdims=0),
        _node("ArgMax", "fits", "best", axis=1, keepdims=0),
        _node("Squeeze", "known axis_0", "known_2"),
        _node("Gather", "known_2 best", "solution", axis=0),
        _node("GreaterOrEqual", "over_all zero_f", "is_done"),
        _node("Unsqueeze", "is_done axis_1", "is_done_2"),
        _node("Where", "is_done_2 solution tokens", "answer"),
        _node("Unsqueeze", "answer axis_2", "answer_3"),
        _node("Equal", "answer_3 symbols", "is_answer"),
        _node("Cast", "is_answer", "is_answer_f", to=TensorProto.FLOAT),
        _node("Mul", "is_answer_f nine", "logits"),
    ]
