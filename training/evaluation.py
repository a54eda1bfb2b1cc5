"""An evaluation: the same puzzles in a single attempt, ever deeper, and in many short ones.

Puzzles are taken part by part, each part from beginning to end of the data: the figures so far are
a fair sample of all, and who interrupts an evaluation keeps them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.stepper import Stepper
from puzzles.restarts import Restart
from training import evaluation_sums as sums
from training.evaluation_data import EvaluationData
from training.evaluation_figures import Evaluation, UnsolvedPuzzle
from training.solves import BY_NOISE, Budget, EvaluationError, Solves, solve_all

PART = 1000  # puzzles

OnStep = Callable[[str, int, int], None]


def parse_counts(name: str, text: str) -> tuple[int, ...]:
    """Read `16,64`; `name` says of what. Raises: EvaluationError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise EvaluationError(f"{name} {text!r}: expected numbers with commas between, as in 16,64")
    return tuple(int(part) for part in parts)


@dataclass(frozen=True)
class Plan:
    """What is measured.

    steps: depths of a single attempt, ascending. Up to the first every puzzle runs, verified or
    not; up to the last only those that are not verified.
    attempts: numbers of attempts of `attempt_steps` each [the first of `steps`]; none: not tried.
    """

    steps: tuple[int, ...]
    attempts: tuple[int, ...] = ()
    attempt_steps: int | None = None
    restart: Restart = BY_NOISE
    slots: int = 32
    part: int = PART

    def __post_init__(self) -> None:
        if sorted({0, *self.attempts})[1:] != list(self.attempts):
            raise EvaluationError(f"attempts {self.attempts}: expected ascending numbers from 1")
        if self.part < 1:
            raise EvaluationError("a part has at least 1 puzzle")

    @property
    def depth(self) -> Budget:
        """A single attempt. Raises: EvaluationError."""
        return Budget(self.steps, restart=self.restart, slots=self.slots)

    @property
    def tries(self) -> Budget:
        """All attempts. Raises: EvaluationError."""
        steps = self.attempt_steps or self.steps[0]
        return Budget((steps,), max(self.attempts, default=1), self.restart, self.slots)


@dataclass(frozen=True)
class Evaluated:
    """Figures of the puzzles so far, and those of them that stayed unsolved."""

    figures: Evaluation
    unsolved: tuple[UnsolvedPuzzle, ...]


def evaluate(
    stepper: Stepper, data: EvaluationData, plan: Plan, *, model_name: str, on_step: OnStep
) -> Iterator[Evaluated]:
    """Solve part after part of `data`; yields after each the figures of all so far.

    on_step(what, done, of) is told after each supervision step: puzzles of the part at hand.
    Raises: EvaluationError if the stepper answers another puzzle, or the plan is none.
    """
    if stepper.spec.name != data.kind.spec.name:
        wanted = f"{data.name} holds {data.kind.spec.name}"
        raise EvaluationError(f"{wanted}, but the model answers {stepper.spec.name}")
    parts = -(-len(data) // plan.part)
    rows = [np.arange(part, len(data), parts) for part in range(parts)]
    depth: list[Solves] = []
    tries: list[Solves] = []
    for number, puzzles in enumerate(rows, 1):
        part, told = data.take(puzzles), _Told(on_step, f"part {number} of {parts}")
        depth.append(solve_all(stepper, part, plan.depth, told.depth))
        if plan.attempts:
            tries.append(solve_all(stepper, part, plan.tries, told.attempts(plan.attempts[-1])))
        so_far = data.take(np.concatenate(rows[:number]))
        yield _summed_up(so_far, len(data), depth, tries, plan, model_name)


@dataclass(frozen=True)
class _Told:
    """Progress in words."""

    on_step: OnStep
    part: str

    def depth(self, _: int, done: int, of: int) -> None:
        self.on_step(f"{self.part}, one attempt", done, of)

    def attempts(self, most: int) -> Callable[[int, int, int], None]:
        def told(attempt: int, done: int, of: int) -> None:
            self.on_step(f"{self.part}, attempt {attempt} of {most}", done, of)

        return told


def _summed_up(
    data: EvaluationData,
    planned: int,
    depth_parts: Sequence[Solves],
    tries_parts: Sequence[Solves],
    plan: Plan,
    model_name: str,
) -> Evaluated:
    depth = sums.Way(_joined(depth_parts), plan.depth)
    tries = sums.Way(_joined(tries_parts), plan.tries) if tries_parts else None
    common = plan.depth.common
    exact, q_halt = depth.solves.exact[:, :common], depth.solves.q_halt[:, :common]
    figures = Evaluation(
        model=model_name,
        puzzle=data.kind.spec.name,
        data=data.name,
        puzzles=len(data),
        planned=planned,
        steps=plan.steps,
        attempts=plan.attempts,
        attempt_steps=plan.tries.most,
        restart=plan.restart,
        by_step=sums.by_step(depth),
        by_attempt=sums.by_attempt(tries) if tries else (),
        calibration=sums.calibrate(q_halt.ravel(), exact.ravel()),
        reverted=int((exact.any(axis=1) & ~exact[:, -1]).sum()),
        groups=sums.groups(data, depth, tries, plan.attempts),
    )
    return Evaluated(figures, tuple(sums.unsolved(data, tries or depth)))


def _joined(parts: Sequence[Solves]) -> Solves:
    columns = [vars(part) for part in parts]
    return Solves(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})
