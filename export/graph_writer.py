"""The step graphs of one export: traced or taken, and none that disagrees with PyTorch."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from export.errors import ExportError
from export.manifest import GraphEntry, ParityReport, Precision, file_sha256
from export.parity import MAX_SUPERVISION_STEPS, compare, solve_all
from export.parity_cases import draw_cases
from export.precision import reduce_precision
from export.reweighting import write_reweighted_graph
from export.runtime import OnnxStepper
from export.step_graph import write_step_graph
from model.stepper import Stepper, TorchStepper
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec

log = logging.getLogger(__name__)

PARITY_PUZZLES = 200
# Of a graph that was compared so with other weights: if these were not where they should be, that
# would show in every puzzle, and soon.
REWEIGHTED_PARITY_PUZZLES = 8
REWEIGHTED_PARITY_STEPS = 4  # supervision steps: a fresh one and three that go on
PARITY_SEED = 0


@final
@dataclass(frozen=True)
class GraphWriter:
    """Where step graphs go, and how they are made and compared.

    parity_puzzles: None stands for PARITY_PUZZLES, or for REWEIGHTED_PARITY_PUZZLES of a graph
    that was taken from the bundle `like`; canvases: those that known tasks are on.
    """

    directory: Path
    precision: Precision
    parity_puzzles: int | None
    like: Path | None
    canvases: frozenset[str]

    def write(self, trm: TinyRecursiveModel, name: str = "step") -> tuple[GraphEntry, ...]:
        """A graph for each of a network's puzzles, all of them compared.

        Raises: ContractError, ParityError, ExportError.
        """
        return tuple(self._write(self._asked(trm, spec), spec, name) for spec in trm.specs)

    def _asked(self, trm: TinyRecursiveModel, spec: PuzzleSpec) -> TinyRecursiveModel:
        """With one task where none can be asked: most of a small graph would be their table."""
        unasked = spec.uses_task and self.canvases and spec.name not in self.canvases
        return trm.for_tasks([0]) if unasked else trm

    def _write(self, trm: TinyRecursiveModel, spec: PuzzleSpec, name: str) -> GraphEntry:
        path = self.directory / f"{name}-{spec.name}.onnx"
        parity = self._taken(trm, spec, path)
        if parity is None:
            write_step_graph(trm, spec, path)
            reduce_precision(path, self.precision)
            puzzles = self.parity_puzzles or PARITY_PUZZLES
            parity = check_parity(trm, spec, path, puzzles, self.precision)
        log.info("step graph agrees", extra={"puzzle": spec.name, **parity.model_dump()})
        return GraphEntry(
            spec=spec,
            file=path.name,
            sha256=file_sha256(path),
            precision=self.precision,
            state_len=trm.state_len(spec.seq_len),
            hidden_size=trm.config.hidden_size,
            parity=parity,
        )

    def _taken(self, trm: TinyRecursiveModel, spec: PuzzleSpec, path: Path) -> ParityReport | None:
        """Write a graph of the bundle `like` with these weights; None if it has to be traced."""
        if self.like is None or self.precision != "float32":
            return None
        puzzles = self.parity_puzzles or REWEIGHTED_PARITY_PUZZLES
        try:
            write_reweighted_graph(trm, spec, self.like, path)
            return check_parity(trm, spec, path, puzzles, max_steps=REWEIGHTED_PARITY_STEPS)
        except ExportError as error:  # what is wrong with that graph is nothing against a new one
            log.warning("%s is traced again: %s", path.name, error, extra={"puzzle": spec.name})
            return None


def check_parity(
    trm: TinyRecursiveModel,
    spec: PuzzleSpec,
    graph: Path,
    puzzles: int,
    precision: Precision = "float32",
    max_steps: int = MAX_SUPERVISION_STEPS,
) -> ParityReport:
    """Compare whole solves of the model and of its graph. Raises: ParityError."""
    stepper = OnnxStepper(
        graph, spec, state_len=trm.state_len(spec.seq_len), hidden_size=trm.config.hidden_size
    )
    return compare_solves(trm, stepper, puzzles, precision, max_steps)


def compare_solves(
    trm: TinyRecursiveModel,
    stepper: Stepper,
    puzzles: int,
    precision: Precision = "float32",
    max_steps: int = MAX_SUPERVISION_STEPS,
) -> ParityReport:
    """Whole solves of the model and of another runtime side by side. Raises: ParityError."""
    spec, rng = stepper.spec, np.random.default_rng(PARITY_SEED)
    tasks = trm.config.tasks * trm.config.task_variants
    cases = draw_cases(spec, puzzles, state_len=stepper.state_len, tasks=tasks, rng=rng)
    ours = solve_all(TorchStepper(trm, spec), cases, max_steps)
    return compare(ours, solve_all(stepper, cases, max_steps), spec.name, precision)
