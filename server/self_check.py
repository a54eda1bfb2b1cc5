"""Before compiled code serves on a CPU that nobody has tried, it is asked what the graph is."""

import numpy as np

from export.manifest import BundleError
from puzzles.kind import PuzzleSpec
from server.engine import Engine, StepInputs
from server.plan import FRESH

ROWS = 4
STEPS = 2  # a fresh one, and one that goes on from its carry
SEED = 0
# Measured with the shipped bundle: docs/adr/0006. Broken code is off by more than that.
LEAST_SAME_CELLS = 0.9
LARGEST_HALT_DIFFERENCE = 0.5


def check_agreement(kernel: Engine, graph: Engine, spec: PuzzleSpec) -> None:
    """Take the same steps with both. Raises: BundleError if their answers are not alike."""
    rng = np.random.default_rng(SEED)
    tokens = rng.integers(1, spec.vocab_size, (ROWS, spec.seq_len)).astype(np.int32)
    noise = rng.standard_normal((ROWS, graph.state_len)).astype(np.float32)
    for step in range(STEPS):
        source = np.full(ROWS, FRESH) if step == 0 else np.arange(ROWS)
        inputs = StepInputs(tokens=tokens, source=source.astype(np.int64), noise=noise)
        ours, theirs = kernel.step(inputs), graph.step(inputs)
        same = float(np.mean(ours.answer == theirs.answer))
        apart = float(np.max(np.abs(ours.q_halt - theirs.q_halt)))
        if not (same >= LEAST_SAME_CELLS and apart <= LARGEST_HALT_DIFFERENCE):
            raise BundleError(
                f"{spec.name}: the code compiled for this CPU gives {same:.1%} of the step graph's "
                f"cells and q_halt {apart:.2g} apart; serve with --runtime onnxruntime"
            )
    kernel.reset()
