"""One step graph in onnxruntime, on the CPU or on a GPU.

The carry stays on the device (`server.buffers`), and `source` tells the graph which rows of it to
go on with. Only tokens, noise and answers cross over.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from export.manifest import BundleError, GraphEntry
from server.buffers import STATE_TYPES, StepBuffers, bucket_of
from server.settings import Device

PROVIDERS: Mapping[Device, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
Shape = tuple[int | None, ...]  # None = dynamic
FATAL_ONLY = 4  # of what onnxruntime writes to standard error; its errors are raised


@dataclass(frozen=True)
class StepInputs:
    """What one supervision step needs; rows are dense.

    tokens: (B, S) int32; source: (B,) int64, row of the previous step or FRESH; noise: (B, L)
    float32, read at fresh rows only; task: (B,) int64, only for puzzles with tasks.
    """

    tokens: npt.NDArray[np.int32]
    source: npt.NDArray[np.int64]
    noise: npt.NDArray[np.float32]
    task: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class StepAnswers:
    """answer: (B, S) int32 tokens; q_halt: (B,) float32 logit.

    logits: (B, S, N) float32 of each cell's symbols; None for a puzzle without units.
    """

    answer: npt.NDArray[np.int32]
    q_halt: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32] | None = None


class Engine(ABC):
    """Runs supervision steps and keeps the carry between them."""

    @property
    @abstractmethod
    def runtime(self) -> str:
        """What runs the steps, for people."""

    @property
    @abstractmethod
    def state_len(self) -> int:
        """L of the carry (B, L, D), and so of the noise (B, L)."""

    @abstractmethod
    def step(self, inputs: StepInputs) -> StepAnswers:
        """One supervision step of exactly these rows."""

    @abstractmethod
    def reset(self) -> None:
        """Forget the carry; every row of the next step must be fresh."""


class _Tensor(Protocol):
    name: str
    type: str
    shape: list[int | str | None]


@final
class OnnxEngine(Engine):
    """An onnxruntime session on one device."""

    def __init__(
        self,
        bundle: Path,
        entry: GraphEntry,
        *,
        device: Device = "cpu",
        threads: int | None = None,
        buckets: Sequence[int] = (),
        cuda_graphs: bool = False,
    ) -> None:
        """Open `bundle`/`entry.file`.

        buckets: numbers of rows to which steps are padded; none: a step has the rows it has.
        cuda_graphs: record a bucket's step once and play it back; on CUDA only.
        Raises: BundleError if it cannot be loaded, is not what its entry says, or does not run on
        `device`.
        """
        self._entry = entry
        self._device = device
        self._bucket_sizes = tuple(sorted(buckets))
        self._cuda_graphs = cuda_graphs
        path = bundle / entry.file
        self._session = _open_session(path, device, threads, cuda_graphs=cuda_graphs)
        check_tensors(path, entry, self._session.get_inputs(), self._session.get_outputs())
        self._binding = self._session.io_binding()
        self.reset()

    @property
    def runtime(self) -> str:
        return f"onnxruntime {self._device} {self._entry.precision}"

    @property
    def state_len(self) -> int:
        return self._entry.state_len

    def reset(self) -> None:
        self._buffers = StepBuffers(self._entry, self._device)

    def step(self, inputs: StepInputs) -> StepAnswers:
        rows = len(inputs.tokens)
        bucket = self._buffers.bucket(bucket_of(rows, self._bucket_sizes))
        arrays: dict[str, npt.NDArray[Any]] = {
            "tokens": inputs.tokens,
            "source": inputs.source,
            "noise": inputs.noise,
        }
        if inputs.task is not None:
            arrays["task"] = inputs.task
        bucket.fill(arrays)
        self._buffers.bind(self._binding, bucket)
        self._session.run_with_iobinding(self._binding, self._run_options(bucket.rows))
        self._buffers.swap()
        return StepAnswers(
            bucket.read("answer", rows),
            bucket.read("q_halt", rows),
            bucket.read("logits", rows) if self._entry.spec.symbols else None,
        )

    def _run_options(self, rows: int) -> ort.RunOptions | None:
        """Which recorded graph a run is: one for each bucket and each of the two carry buffers."""
        if not self._cuda_graphs:
            return None
        options = ort.RunOptions()
        options.log_severity_level = FATAL_ONLY
        options.add_run_config_entry("gpu_graph_id", str(2 * rows + self._buffers.turn))
        return options


def _open_session(
    path: Path, device: Device, threads: int | None, *, cuda_graphs: bool
) -> ort.InferenceSession:
    provider = PROVIDERS[device]
    if cuda_graphs and device != "cuda":
        raise BundleError(f"{path}: CUDA graphs are for cuda, not for {device}")
    if provider not in ort.get_available_providers():
        raise BundleError(f"{path}: this onnxruntime has no {provider}; it cannot run on {device}")
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    # Waiting threads sleep: the sessions of other puzzle sizes and the web server want the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    if device == "cpu":
        _share_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        session = ort.InferenceSession(
            path,
            options,
            providers=[provider],
            provider_options=[{"enable_cuda_graph": "1"} if cuda_graphs else {}],
            enable_fallback=0,
        )
    except Exception as error:  # onnxruntime's errors have no common base
        raise BundleError(f"{path}: onnxruntime cannot load it: {error}") from error
    if session.get_providers()[0] != provider:
        raise BundleError(f"{path}: asked for {provider}, onnxruntime answered with the CPU")
    return session


@cache
def _share_memory() -> None:
    """One arena for all sessions on the CPU, whose steps take turns: else each keeps its own."""
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, None)


def check_tensors(
    path: Path, entry: GraphEntry, inputs: Iterable[_Tensor], outputs: Iterable[_Tensor]
) -> None:
    """Compare a graph's inputs and outputs with its manifest entry.

    Raises: BundleError naming every tensor that is missing, unknown, or of another type or shape.
    """
    problems = [
        *_mismatches("input", _expected_inputs(entry), inputs),
        *_mismatches("output", _expected_outputs(entry), outputs),
    ]
    if problems:
        raise BundleError(f"{path} is not what the manifest says: {'; '.join(problems)}")


def _expected_inputs(entry: GraphEntry) -> dict[str, tuple[str, Shape]]:
    state_type = STATE_TYPES[entry.dtype][0]
    carry = (state_type, (None, entry.state_len, entry.hidden_size))
    task: dict[str, tuple[str, Shape]] = {"task": ("tensor(int64)", (None,))}
    return {
        "tokens": ("tensor(int32)", (None, entry.spec.seq_len)),
        **(task if entry.spec.uses_task else {}),
        "source": ("tensor(int64)", (None,)),
        "noise": ("tensor(float)", (None, entry.state_len)),
        "y": carry,
        "z": carry,
    }


def _expected_outputs(entry: GraphEntry) -> dict[str, tuple[str, Shape]]:
    state_type = STATE_TYPES[entry.dtype][0]
    carry = (state_type, (None, entry.state_len, entry.hidden_size))
    spec = entry.spec
    logits: dict[str, tuple[str, Shape]] = {
        "logits": ("tensor(float)", (None, spec.seq_len, spec.symbols))
    }
    return {
        "y_next": carry,
        "z_next": carry,
        "answer": ("tensor(int32)", (None, entry.spec.seq_len)),
        "q_halt": ("tensor(float)", (None,)),
        **(logits if spec.symbols else {}),
    }


def _mismatches(
    side: str, expected: Mapping[str, tuple[str, Shape]], tensors: Iterable[_Tensor]
) -> list[str]:
    found = {tensor.name: (tensor.type, _shape(tensor.shape)) for tensor in tensors}
    return [
        *(f"{side} {name} is missing" for name in expected if name not in found),
        *(f"{side} {name} is unknown" for name in found if name not in expected),
        *(
            f"{side} {name} is {_text(found[name])}, expected {_text(want)}"
            for name, want in expected.items()
            if name in found and found[name] != want
        ),
    ]


def _shape(shape: Sequence[int | str | None]) -> Shape:
    return tuple(size if isinstance(size, int) else None for size in shape)


def _text(tensor: tuple[str, Shape]) -> str:
    shape = ", ".join("any" if size is None else str(size) for size in tensor[1])
    return f"{tensor[0]} ({shape})"
