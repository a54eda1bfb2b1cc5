"""The monitor: what averaged weights solve of puzzles that were kept out of training."""

import numpy as np
import torch

from export.lattice_weights import lattice_weights
from kernel.lattice import LatticeKernel
from model.trm import Carry, TinyRecursiveModel
from puzzles.registry import by_name
from tests.model.small import LATTICE, small_trm
from tests.training.small_runs import puzzles
from training.monitor import HeldOut, Monitor

FOUR = by_name("sudoku-4x4")


def _answers_by_step(
    trm: TinyRecursiveModel, questions: np.ndarray, steps: int
) -> list[np.ndarray]:
    """Cells, 0 where the network says that a cell is empty, after each step."""
    tokens = torch.from_numpy(FOUR.encode_flat(questions))
    carry: Carry = trm.start(torch.zeros(len(questions), 64))
    answers = []
    with torch.inference_mode():
        for _ in range(steps):
            output = trm(tokens, carry)
            carry = output.carry
            answers.append(output.logits.argmax(-1).numpy() - 1)
    return answers


def test_an_answer_that_does_not_stay_right_is_solved_but_not_exact() -> None:
    trm, made = small_trm(LATTICE, FOUR.spec), puzzles(4)
    first, *_, last = _answers_by_step(trm, made.questions, steps=3)
    assert (first != last).any(1).all()
    # The right answers are what the network says first (2 puzzles), last (1), and never (1).
    answers = np.concatenate([first[:2], last[2:3], (last[3:] % 4) + 1]).astype(np.uint8)
    questions, labels = map(FOUR.encode_flat, (made.questions, answers))
    held_out = HeldOut(torch.from_numpy(questions).long(), torch.from_numpy(labels).long())
    monitor = Monitor(held_out, torch.device("cpu"))
    kernel = LatticeKernel.open(lattice_weights(trm), FOUR.spec, precision="float32", threads=1)
    for found in (
        monitor.measure(trm, 3, torch.float32),
        monitor.measure(trm, 3, torch.float32, kernel=kernel),
    ):
        assert (found.exact, found.solved) == (0.25, 0.75)
