"""A stepper whose trajectories are written down beforehand, and puzzles for it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt

from model.stepper import FRESH, StepAnswers, Stepper
from puzzles.kind import PuzzleSpec
from puzzles.registry import by_name
from training.evaluation_data import EvaluationData

FOUR = by_name("sudoku-4x4")
ANSWER = FOUR.parse("1234341221434321")


class Said(NamedTuple):
    """What the stepper says at one step: an answer in one line, and q_halt."""

    answer: str
    q_halt: float


class Script(NamedTuple):
    """What it says of one question step by step, from a plain start and from noise."""

    plain: Sequence[Said]
    noisy: Sequence[Said] = ()


@final
class ScriptedStepper(Stepper):
    """Knows by `source` how many steps each row has made, and by noise how it began."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self._scripts = scripts
        self._steps = np.zeros(0, np.int64)
        self._noisy = np.zeros(0, np.bool_)
        self.batches: list[int] = []
        self.noise: list[npt.NDArray[np.float32]] = []

    @property
    def spec(self) -> PuzzleSpec:
        return FOUR.spec

    @property
    def state_len(self) -> int:
        return 64

    def step(
        self,
        tokens: npt.NDArray[np.int32],
        source: npt.NDArray[np.int64],
        noise: npt.NDArray[np.float32],
        task: npt.NDArray[np.int64] | None = None,
    ) -> StepAnswers:
        assert task is None
        fresh = source == FRESH
        before = np.append(self._steps, 0), np.append(self._noisy, False)
        self._steps = np.where(fresh, 0, before[0][source]) + 1
        self._noisy = np.where(fresh, noise.any(axis=1), before[1][source])
        self.batches.append(len(tokens))
        self.noise.append(noise[fresh])
        said = [self._said(*row) for row in zip(tokens, self._steps, self._noisy, strict=True)]
        answer = np.stack([FOUR.encode(FOUR.parse(one.answer)) for one in said])
        return StepAnswers(answer, np.array([one.q_halt for one in said], np.float32))

    def _said(self, tokens: npt.NDArray[np.int32], step: int, noisy: bool) -> Said:
        script = self._scripts[FOUR.format(FOUR.decode(tokens))]
        return (script.noisy if noisy else script.plain)[step - 1]


def question(empty: int) -> str:
    """ANSWER without cell `empty`."""
    line = FOUR.format(ANSWER)
    return f"{line[:empty]}.{line[empty + 1 :]}"


def data(
    questions: Sequence[str], *, ratings: Sequence[int] = (), sources: Sequence[int] = ()
) -> EvaluationData:
    """Questions that ANSWER solves, of the sources `easy` and `hard`."""
    cells = np.stack([FOUR.parse(line).ravel() for line in questions])
    return EvaluationData(
        name="by hand",
        kind=FOUR,
        questions=cells,
        answers=np.tile(ANSWER.ravel(), (len(cells), 1)),
        ratings=np.array(ratings or [0] * len(cells), np.int32),
        sources=np.array(sources or [0] * len(cells), np.uint8),
        source_names=("easy", "hard"),
    )
