"""The step graph behind I/O binding, in real onnxruntime."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from export.manifest import BundleError, GraphEntry, Manifest
from server.buffers import StepBuffers, bucket_of
from server.engine import OnnxEngine, StepAnswers, StepInputs, check_tensors
from server.plan import FRESH
from tests.server.tiny_bundle import FOUR, HARD, four_solutions, with_empty

SOLUTION = four_solutions()[0]


@pytest.fixture(scope="module")
def entry(bundle: Path) -> GraphEntry:
    return Manifest.read(bundle).graphs[0]


@pytest.fixture
def engine(bundle: Path, entry: GraphEntry) -> OnnxEngine:
    return OnnxEngine(bundle, entry, threads=1)


def take_step(
    engine: OnnxEngine, empty: list[int], source: list[int], noise: float = 0.0
) -> StepAnswers:
    """A supervision step of questions with so many empty cells."""
    tokens = np.stack([FOUR.encode(with_empty(SOLUTION, count)) for count in empty])
    starts = np.full((len(empty), engine.state_len), noise, np.float32)
    return engine.step(StepInputs(tokens, np.array(source, np.int64), starts))


def steps_taken(answers: StepAnswers, empty: list[int]) -> list[int]:
    """Read back from the tiny graph's q_halt how many steps each row has taken."""
    return [round(count + q - 0.5) for count, q in zip(empty, answers.q_halt.tolist(), strict=True)]


def test_the_carry_follows_source_through_compaction_refill_and_reset(engine: OnnxEngine) -> None:
    first = take_step(engine, [4, 5, 6], [FRESH, FRESH, FRESH])
    assert steps_taken(first, [4, 5, 6]) == [1, 1, 1]
    second = take_step(engine, [5, 6, 7, 8], [1, 2, FRESH, FRESH])
    assert steps_taken(second, [5, 6, 7, 8]) == [2, 2, 1, 1]
    third = take_step(engine, [8, 6], [3, 1])
    assert steps_taken(third, [8, 6]) == [2, 3]
    fourth = take_step(engine, [6, 8], [1, FRESH])
    assert steps_taken(fourth, [6, 8]) == [4, 1]


def test_the_answer_comes_as_tokens(engine: OnnxEngine) -> None:
    take_step(engine, [2], [FRESH])
    answers = take_step(engine, [2], [0])
    assert answers.answer.dtype == np.int32
    assert np.array_equal(FOUR.decode(answers.answer[0]), SOLUTION)


def test_noise_reaches_fresh_rows_and_no_others(engine: OnnxEngine) -> None:
    take_step(engine, [HARD + 1], [FRESH])
    stuck = take_step(engine, [HARD + 1], [0], noise=1.0)
    assert stuck.q_halt[0] < -1000
    freed = take_step(engine, [HARD + 1], [FRESH], noise=1.0)
    assert freed.q_halt[0] > -HARD - 1


def test_after_a_reset_the_first_step_is_as_after_loading(engine: OnnxEngine) -> None:
    take_step(engine, [3, 3, 3], [FRESH] * 3)
    engine.reset()
    assert steps_taken(take_step(engine, [3], [FRESH]), [3]) == [1]


@dataclass
class Declared:
    """What onnxruntime says of one tensor."""

    name: str
    type: str
    shape: list[int | str | None]


def declared_inputs() -> list[Declared]:
    return [
        Declared("tokens", "tensor(int32)", ["batch", 16]),
        Declared("source", "tensor(int64)", ["batch"]),
        Declared("noise", "tensor(float)", ["batch", 16]),
        Declared("y", "tensor(float)", ["previous_batch", 16, 2]),
        Declared("z", "tensor(float)", ["previous_batch", 16, 2]),
    ]


def declared_outputs() -> list[Declared]:
    return [
        Declared("y_next", "tensor(float)", ["batch", 16, 2]),
        Declared("z_next", "tensor(float)", [None, 16, 2]),
        Declared("answer", "tensor(int32)", ["batch", 16]),
        Declared("q_halt", "tensor(float)", ["batch"]),
        Declared("logits", "tensor(float)", ["batch", 16, 4]),
    ]


def test_the_contract_itself_passes(entry: GraphEntry) -> None:
    check_tensors(Path("g.onnx"), entry, declared_inputs(), declared_outputs())


@pytest.mark.parametrize(
    ("place", "tensor", "message"),
    [
        (0, Declared("tokens", "tensor(int64)", ["batch", 16]), "input tokens is tensor(int64)"),
        (0, Declared("tokens", "tensor(int32)", ["batch", 81]), "(any, 81), expected tensor(int32"),
        (0, Declared("tokens", "tensor(int32)", [1, 16]), "input tokens is tensor(int32) (1, 16)"),
        (2, Declared("noise", "tensor(float)", ["batch"]), "input noise is tensor(float) (any)"),
        (3, Declared("y", "tensor(float)", ["b", 16, 3]), "(any, 16, 3), expected tensor(float)"),
        (3, Declared("y_0", "tensor(float)", ["b", 16, 2]), "input y is missing; input y_0 is unk"),
    ],
)
def test_an_input_that_differs_from_the_manifest_is_named(
    entry: GraphEntry, place: int, tensor: Declared, message: str
) -> None:
    inputs = declared_inputs()
    inputs[place] = tensor
    with pytest.raises(BundleError) as caught:
        check_tensors(Path("g.onnx"), entry, inputs, declared_outputs())
    assert message in str(caught.value)


def test_every_mismatch_is_named_at_once(entry: GraphEntry) -> None:
    with pytest.raises(BundleError) as caught:
        check_tensors(Path("g.onnx"), entry, declared_inputs()[1:], declared_outputs()[:-1])
    assert "input tokens is missing" in str(caught.value)
    assert "output logits is missing" in str(caught.value)


HAS_CUDA = "CUDAExecutionProvider" in ort.get_available_providers()


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_CUDA, reason="onnxruntime without CUDA: the GPU path is NOT tested")
def test_cuda_says_what_the_cpu_says(bundle: Path, entry: GraphEntry) -> None:
    engines = [OnnxEngine(bundle, entry, device=device) for device in ("cpu", "cuda")]
    for empty, source in (([3, 4], [FRESH, FRESH]), ([4, 5], [1, FRESH]), ([5, 4], [1, 0])):
        on_cpu, on_gpu = (take_step(engine, empty, source) for engine in engines)
        assert np.array_equal(on_cpu.answer, on_gpu.answer)
        assert np.allclose(on_cpu.q_halt, on_gpu.q_halt)


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime has CUDA")
def test_asking_for_a_gpu_that_onnxruntime_does_not_have_is_an_error(
    bundle: Path, entry: GraphEntry
) -> None:
    with pytest.raises(BundleError, match="no CUDAExecutionProvider"):
        OnnxEngine(bundle, entry, device="cuda")


def test_a_file_that_is_no_graph_is_an_error(tmp_path: Path, entry: GraphEntry) -> None:
    (tmp_path / entry.file).write_bytes(b"not a graph")
    with pytest.raises(BundleError, match="onnxruntime cannot load it"):
        OnnxEngine(tmp_path, entry)


def test_padding_to_buckets_changes_no_answer(
    bundle: Path, entry: GraphEntry, engine: OnnxEngine
) -> None:
    padded = OnnxEngine(bundle, entry, threads=1, buckets=(2, 4))
    for empty, source in (
        ([4, 5, 6], [FRESH, FRESH, FRESH]),
        ([5, 6, 7, 8, 9], [1, 2, FRESH, FRESH, FRESH]),  # more than the largest bucket
        ([9, 6], [4, 1]),
        ([6], [1]),
        ([3, 6, 3], [FRESH, 0, FRESH]),
    ):
        plain, other = take_step(engine, empty, source), take_step(padded, empty, source)
        assert np.array_equal(plain.answer, other.answer)
        assert np.array_equal(plain.q_halt, other.q_halt)


def test_the_smallest_bucket_that_fits_is_taken() -> None:
    assert [bucket_of(rows, (2, 4, 16)) for rows in (1, 2, 3, 16, 17)] == [2, 2, 4, 16, 17]
    assert bucket_of(3, ()) == 3


def test_steps_of_a_bucket_use_two_sets_of_addresses_in_turn(entry: GraphEntry) -> None:
    buffers = StepBuffers(entry, "cpu")
    bucket = buffers.bucket(4)
    places = []
    for _ in range(4):
        assert buffers.bucket(4) is bucket
        places.append(buffers.turn)
        buffers.swap()
    assert places == [0, 1, 0, 1]


def test_cuda_graphs_without_cuda_are_an_error(bundle: Path, entry: GraphEntry) -> None:
    with pytest.raises(BundleError, match="CUDA graphs are for cuda, not for cpu"):
        OnnxEngine(bundle, entry, cuda_graphs=True)
