"""A bundle's step graph driven from Python, through the same interface as the PyTorch model."""

from pathlib import Path
from typing import final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from export.manifest import BundleError, GraphEntry, Manifest
from model.stepper import StepAnswers, Stepper
from puzzles.kind import PuzzleSpec


@final
class OnnxStepper(Stepper):
    """Steps by onnxruntime on the CPU, float32."""

    def __init__(
        self,
        graph: Path,
        spec: PuzzleSpec,
        *,
        state_len: int,
        hidden_size: int,
        threads: int | None = None,
    ) -> None:
        options = ort.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._spec = spec
        self._state_len = state_len
        self._y = self._z = np.zeros((1, state_len, hidden_size), np.float32)

    @classmethod
    def open(
        cls, bundle: Path, puzzle: str | None = None, *, threads: int | None = None
    ) -> "OnnxStepper":
        """The graph for `puzzle` (a `PuzzleSpec.name`), or a bundle's only one.

        Raises: BundleError if the bundle is damaged or has no such graph.
        """
        graphs = {graph.spec.name: graph for graph in Manifest.read(bundle).graphs}
        if puzzle is None and len(graphs) == 1:
            puzzle = next(iter(graphs))
        if puzzle not in graphs:
            wanted = "several graphs, name one" if puzzle is None else f"no graph for {puzzle}"
            raise BundleError(f"{bundle}: {wanted}; it has {', '.join(graphs)}")
        return cls.of_entry(bundle, graphs[puzzle], threads=threads)

    @classmethod
    def of_entry(
        cls, bundle: Path, entry: GraphEntry, *, threads: int | None = None
    ) -> "OnnxStepper":
        """The graph of an entry of a bundle's manifest."""
        return cls(
            bundle / entry.file,
            entry.spec,
            state_len=entry.state_len,
            hidden_size=entry.hidden_size,
            threads=threads,
        )

    @property
    def spec(self) -> PuzzleSpec:
        return self._spec

    @property
    def state_len(self) -> int:
        return self._state_len

    def step(
        self,
        tokens: npt.NDArray[np.int32],
        source: npt.NDArray[np.int64],
        noise: npt.NDArray[np.float32],
        task: npt.NDArray[np.int64] | None = None,
    ) -> StepAnswers:
        feed = {"tokens": tokens, "source": source, "noise": noise, "y": self._y, "z": self._z}
        if self._spec.uses_task and task is not None:
            feed["task"] = task
        self._y, self._z, answer, q_halt, *logits = self._session.run(None, feed)
        return StepAnswers(answer, q_halt, *logits)
