"""Questions to compare two runtimes on, made without data: their answers need not be unique."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from puzzles.errors import UnknownKindError
from puzzles.kind import Example, Grid, PuzzleKind, PuzzleSpec, Verdict
from puzzles.registry import by_name

FEWEST_GIVENS = 0.4  # as shares of the cells; a question is drawn evenly between the two
MOST_GIVENS = 0.95
NOISY_SHARE = 1 / 3  # of the questions begin from noise
NOISE_SCALE = 0.5
# All others all but start plain: enough to choose between answers that are equal by symmetry, which
# a question with several solutions has, and which rounding would choose between otherwise.
TIE_BREAK_SCALE = 0.01


@dataclass(frozen=True)
class ParityCases:
    """tokens: (N, S) int32; noise: (N, L) float32; task: (N,) int64, zeros without tasks.

    `kind` can verify answers by the rules; None for a puzzle that only its weights know.
    """

    kind: PuzzleKind | None
    tokens: npt.NDArray[np.int32]
    noise: npt.NDArray[np.float32]
    task: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tokens)

    def is_done(self, index: int, answer: npt.NDArray[np.int32], q_halt: float) -> bool:
        """Whether case `index` halts with this answer: verified, or q_halt > 0 without rules."""
        if self.kind is not None:
            question = self.kind.decode(self.tokens[index])
            verdict = self.kind.verify(question, self.kind.decode(answer))
            if verdict is not Verdict.unknown:
                return verdict is Verdict.solved
        return q_halt > 0


def draw_cases(
    spec: PuzzleSpec, count: int, *, state_len: int, tasks: int, rng: np.random.Generator
) -> ParityCases:
    """`count` questions for `spec`; random tokens where no rules are known. A third are noisy."""
    kind = _kind_of(spec)
    if kind is not None and spec.units:
        full = _pattern_grid(spec)
        tokens = np.stack([kind.encode(_question(kind, full, rng)) for _ in range(count)])
    else:
        kind = None
        tokens = rng.integers(0, spec.vocab_size, (count, spec.seq_len), np.int32)
    noisy = rng.random((count, 1)) < NOISY_SHARE
    scale = np.where(noisy, NOISE_SCALE, TIE_BREAK_SCALE)
    noise = rng.normal(0, 1, (count, state_len)) * scale
    task = rng.integers(0, tasks, count) if spec.uses_task else np.zeros(count, np.int64)
    return ParityCases(kind, tokens, noise.astype(np.float32), task)


def _kind_of(spec: PuzzleSpec) -> PuzzleKind | None:
    try:
        return by_name(spec.name)
    except UnknownKindError:
        return None


def _pattern_grid(spec: PuzzleSpec) -> Grid:
    """The textbook solution: within a band a row is the one above, shifted by a box width."""
    row, column = np.mgrid[: spec.height, : spec.width]
    box_height, box_width = spec.box_height or 1, spec.box_width or spec.width
    shift = box_width * (row % box_height) + row // box_height
    grid: Grid = ((shift + column) % spec.symbols + 1).astype(np.uint8)
    return grid


def _question(kind: PuzzleKind, full: Grid, rng: np.random.Generator) -> Grid:
    """A full grid with holes, and with all symbols but one among its givens.

    Two symbols that no given tells apart have equal logits for an equivariant network: rounding
    would choose between them.
    """
    example, _ = kind.augment(Example(full, full), rng)
    while True:
        keep = rng.random(full.shape) < rng.uniform(FEWEST_GIVENS, MOST_GIVENS)
        question = np.where(keep, example.question, 0).astype(np.uint8)
        if len(np.unique(question[keep])) >= kind.spec.symbols - 1:
            return question
