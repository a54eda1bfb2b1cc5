"""An evaluation: the same puzzles in a single attempt, ever deeper, and in many short ones.

Puzzles are taken part by part, each part from beginning to end of the data: the figures so far are
a fair sample of all, who interrupts an evaluation keeps them, and where parts are kept on disk a
later one goes on after them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from model.stepper import Stepper
from puzzles.restarts import Restart
from training import evaluation_sums as sums
from training.evaluation_data import EvaluationData
from training.evaluation_figures import Evaluation, UnsolvedPuzzle
from training.evaluation_parts import PartSolves, PartStore
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
    Raises: EvaluationError.
    """

    steps: tuple[int, ...]
    attempts: tuple[int, ...] = ()
    attempt_steps: int | None = None
    restart: Restart = BY_NOISE
    slots: int = 32
    part: int = PART

    def __post_init__(self) -> None:
        Budget(self.steps, slots=self.slots)  # checks them
        if sorted({0, *self.attempts})[1:] != list(self.attempts):
            raise EvaluationError(f"attempts {self.attempts}: expected ascending numbers from 1")
        if self.part < 1:
            raise EvaluationError("a part has at least 1 puzzle")

    @property
    def depth(self) -> Budget:
        """A single attempt."""
        return Budget(self.steps, restart=self.restart, slots=self.slots)

    @property
    def tries(self) -> Budget:
        """All attempts."""
        steps = self.attempt_steps or self.steps[0]
        return Budget((steps,), max(self.attempts, default=1), self.restart, self.slots)


@dataclass(frozen=True)
class Evaluated:
    """Figures of the puzzles so far, those of them that stayed unsolved, and the time it took."""

    figures: Evaluation
    unsolved: tuple[UnsolvedPuzzle, ...]
    seconds: float


@final
class Evaluator:
    """One model, one plan. on_step(what, done, of) is told after each supervision step."""

    def __init__(
        self,
        stepper: Stepper,
        plan: Plan,
        *,
        model_name: str,
        on_step: OnStep = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stepper, self._plan, self._model_name = stepper, plan, model_name
        self._on_step, self._clock = on_step, clock

    def run(self, data: EvaluationData, store: PartStore | None = None) -> Iterator[Evaluated]:
        """Solve part after part of `data`; yields after each the figures of all so far.

        store: where parts are kept, and taken from.
        Raises: EvaluationError if the stepper answers another puzzle.
        """
        if self._stepper.spec.name != data.kind.spec.name:
            wanted = f"{data.name} holds {data.kind.spec.name}"
            raise EvaluationError(f"{wanted}, but the model answers {self._stepper.spec.name}")
        count = -(-len(data) // self._plan.part)
        rows = [np.arange(first, len(data), count) for first in range(count)]
        done: list[PartSolves] = []
        for number, puzzles in enumerate(rows, 1):
            part = store.load(number) if store else None
            if part is None:
                part = self._solve(data.take(puzzles), f"part {number} of {count}")
                if store:
                    store.save(number, part)
            done.append(part)
            yield self._sum_up(data.take(np.concatenate(rows[:number])), len(data), done)

    def _solve(self, data: EvaluationData, name: str) -> PartSolves:
        plan, begun_s = self._plan, self._clock()

        def deeper(_: int, done: int, of: int) -> None:
            self._on_step(f"{name}, one attempt", done, of)

        def again(attempt: int, done: int, of: int) -> None:
            self._on_step(f"{name}, attempt {attempt} of {plan.attempts[-1]}", done, of)

        depth = solve_all(self._stepper, data, plan.depth, deeper)
        tries = solve_all(self._stepper, data, plan.tries, again) if plan.attempts else None
        return PartSolves(depth, tries, self._clock() - begun_s)

    def _sum_up(self, data: EvaluationData, planned: int, parts: Sequence[PartSolves]) -> Evaluated:
        plan = self._plan
        depth = sums.Way(_joined([part.depth for part in parts]), plan.depth)
        tried = [part.tries for part in parts if part.tries is not None]
        tries = sums.Way(_joined(tried), plan.tries) if tried else None
        common = plan.depth.common
        exact, q_halt = depth.solves.exact[:, :common], depth.solves.q_halt[:, :common]
        figures = Evaluation(
            model=self._model_name,
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
        unsolved = tuple(sums.unsolved(data, tries or depth))
        return Evaluated(figures, unsolved, sum(part.seconds for part in parts))


def _joined(parts: Sequence[Solves]) -> Solves:
    columns = [vars(part) for part in parts]
    return Solves(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})
