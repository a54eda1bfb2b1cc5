"""Parity: whole solves by PyTorch in float32 and by what is exported, side by side.

Both are driven through the step contract as a server drives it: rows that are done leave, the
rest move up, waiting puzzles take the free slots.

The two runtimes add numbers up in different orders. That decides an answer in two harmless cases:
a question whose symmetry makes two symbols of a cell equally likely, and a recursion that wanders
without finding an answer and blows rounding up. A defect of the graph shows in the first step, or
in most puzzles. So q_halt must agree closely after the first step of *every* puzzle, and answers
and step counts in all but a few of the whole solves; the manifest says in how many.

Eight bits round more, and a first step that is off by a little sends wandering recursions
elsewhere: what int8 costs in accuracy, only `ponder evaluate` on real puzzles can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.errors import AnswerMismatchError, HaltLogitMismatchError, StepCountMismatchError
from export.manifest import ParityReport, Precision
from export.parity_cases import ParityCases
from model.stepper import FRESH, Stepper

MAX_SUPERVISION_STEPS = 16
SLOTS = 32


@dataclass(frozen=True)
class Tolerance:
    """first_step: of q_halt, a logit, after a puzzle's first step; diverging: share of solves."""

    first_step: float
    diverging: float


TOLERANCES: Mapping[Precision, Tolerance] = {
    # On unsolved 16×16 puzzles a lattice with attention wanders: one whole solve in fifty parts.
    "float32": Tolerance(first_step=1e-3, diverging=0.03),
    "int8": Tolerance(first_step=1.0, diverging=1.0),  # counted, not judged
}


@dataclass(frozen=True)
class Solves:
    """What became of N cases: answer (N, S) int32, steps (N,), q_halt (N, most) after each step.

    q_halt is NaN after a case has halted.
    """

    answer: npt.NDArray[np.int32]
    steps: npt.NDArray[np.int64]
    q_halt: npt.NDArray[np.float32]

    @property
    def max_steps(self) -> int:
        """Supervision steps that a case may take."""
        most: int = self.q_halt.shape[1]
        return most


def solve_all(
    stepper: Stepper, cases: ParityCases, max_steps: int = MAX_SUPERVISION_STEPS
) -> Solves:
    """Solve every case, at most `SLOTS` at a time, each for at most `max_steps`."""
    solves = Solves(
        answer=np.zeros_like(cases.tokens),
        steps=np.zeros(len(cases), np.int64),
        q_halt=np.full((len(cases), max_steps), np.nan, np.float32),
    )
    waiting = list(range(len(cases)))[::-1]
    rows: list[int] = []  # the case in each row
    source: list[int] = []
    while rows or waiting:
        while waiting and len(rows) < SLOTS:
            rows.append(waiting.pop())
            source.append(FRESH)
        done = _step(stepper, cases, solves, np.array(rows), np.array(source))
        source = [row for row in range(len(rows)) if not done[row]]
        rows = [rows[row] for row in source]
    return solves


def _step(
    stepper: Stepper,
    cases: ParityCases,
    solves: Solves,
    index: npt.NDArray[np.int64],
    source: npt.NDArray[np.int64],
) -> list[bool]:
    """One supervision step for the cases `index`; which of them are done."""
    out = stepper.step(cases.tokens[index], source, cases.noise[index], cases.task[index])
    solves.answer[index] = out.answer
    solves.q_halt[index, solves.steps[index]] = out.q_halt
    solves.steps[index] += 1
    return [
        bool(solves.steps[case] == solves.max_steps)
        or cases.is_done(case, out.answer[row], float(out.q_halt[row]))
        for row, case in enumerate(index.tolist())
    ]


def compare(
    torch_solves: Solves, onnx_solves: Solves, name: str, precision: Precision = "float32"
) -> ParityReport:
    """The report of two runs over the same cases; precision: of the second.

    Raises: HaltLogitMismatchError, AnswerMismatchError or StepCountMismatchError, naming each case.
    """
    apart = np.abs(torch_solves.q_halt - onnx_solves.q_halt)
    answers = (torch_solves.answer == onnx_solves.answer).all(-1)
    steps = torch_solves.steps == onnx_solves.steps
    tolerance = TOLERANCES[precision]
    far = np.flatnonzero(~(apart[:, 0] <= tolerance.first_step))
    if len(far):
        problems = [f"puzzle {i}: q_halt differs by {apart[i, 0]:.2g}" for i in far]
        raise HaltLogitMismatchError(f"{name}, first step", problems)
    allowed = int(tolerance.diverging * len(steps))
    if np.count_nonzero(~(answers & steps)) > allowed:
        raise _divergence(torch_solves, onnx_solves, name)
    return ParityReport(
        puzzles=len(steps),
        supervision_steps=torch_solves.max_steps,
        same_answers=int(answers.sum()),
        same_steps=int(steps.sum()),
        largest_q_halt_difference=float(np.nanmax(apart[answers & steps], initial=0.0)),
    )


def _divergence(
    ours: Solves, theirs: Solves, name: str
) -> AnswerMismatchError | StepCountMismatchError:
    wrong_cells = (ours.answer != theirs.answer).sum(-1)
    if wrong_cells.any():
        problems = [f"puzzle {i}: {n} cells differ" for i, n in enumerate(wrong_cells) if n]
        return AnswerMismatchError(f"{name}, PyTorch against onnxruntime", problems)
    problems = [
        f"puzzle {i}: {a} steps by PyTorch, {b} by onnxruntime"
        for i, (a, b) in enumerate(zip(ours.steps, theirs.steps, strict=True))
        if a != b
    ]
    return StepCountMismatchError(f"{name}, whole solves", problems)
