"""The step contract: `source` refills, compacts and resets; both runtimes obey it alike."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from export.manifest import BundleError
from export.runtime import OnnxStepper
from model.checkpoint import load_model
from model.stepper import FRESH, StepAnswers, Stepper, TorchStepper
from tests.model.small import sudoku

SPEC = sudoku(4)
L = 64
Make = Callable[[], Stepper]


@pytest.fixture(params=["torch", "onnx"])
def make(request: pytest.FixtureRequest, lattice_bundle: Path) -> Make:
    if request.param == "onnx":
        return lambda: OnnxStepper.open(lattice_bundle, SPEC.name)
    trm = load_model(lattice_bundle.parent / "checkpoint")
    return lambda: TorchStepper(trm, SPEC)


def questions(count: int) -> npt.NDArray[np.int32]:
    return np.random.default_rng(1).integers(1, SPEC.vocab_size, (count, 16), np.int32)


def noises(count: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(2).normal(size=(count, L)).astype(np.float32)


def alone(stepper: Stepper, which: int, steps: int) -> StepAnswers:
    """Question `which`, solved in a batch of its own."""
    tokens, noise = questions(4)[which : which + 1], noises(4)[which : which + 1]
    out = stepper.step(tokens, np.array([FRESH]), noise)
    for _ in range(steps - 1):
        out = stepper.step(tokens, np.array([0]), noise)
    return out


def assert_row(out: StepAnswers, row: int, expected: StepAnswers) -> None:
    np.testing.assert_allclose(out.q_halt[row], expected.q_halt[0], atol=1e-5)
    np.testing.assert_array_equal(out.answer[row], expected.answer[0])


def test_rows_that_move_up_and_rows_that_enter_equal_runs_alone(make: Make) -> None:
    tokens, noise, stepper = questions(4), noises(4), make()
    stepper.step(tokens[:3], np.full(3, FRESH), noise[:3])
    now = [2, 3, 1]  # row 0 left, 2 and 1 moved, 3 entered between them
    out = stepper.step(tokens[now], np.array([2, FRESH, 1]), noise[now])
    for row, (which, steps) in enumerate([(2, 2), (3, 1), (1, 2)]):
        assert_row(out, row, alone(make(), which, steps))


def test_a_reset_row_equals_a_first_step(make: Make) -> None:
    tokens, noise, stepper = questions(2), noises(2), make()
    first = stepper.step(tokens, np.full(2, FRESH), noise)
    stepper.step(tokens, np.array([0, 1]), noise)
    again = stepper.step(tokens, np.full(2, FRESH), noise)
    np.testing.assert_allclose(again.q_halt, first.q_halt, atol=1e-6)


def test_a_batch_may_grow_beyond_the_carry_and_shrink_to_one_row(make: Make) -> None:
    tokens, noise, stepper = questions(4), noises(4), make()
    stepper.step(tokens[:1], np.array([FRESH]), noise[:1])
    grown = stepper.step(tokens, np.array([0, FRESH, FRESH, FRESH]), noise)
    assert grown.answer.shape == (4, 16)
    shrunk = stepper.step(tokens[3:], np.array([3]), noise[3:])
    assert_row(shrunk, 0, alone(make(), 3, 2))


def test_noise_moves_fresh_rows_only(make: Make) -> None:
    tokens, zero, noise = questions(2), np.zeros((2, L), np.float32), noises(2)
    plain, noisy = make(), make()
    first = plain.step(tokens, np.full(2, FRESH), zero)
    assert np.abs(noisy.step(tokens, np.full(2, FRESH), noise).q_halt - first.q_halt).min() > 1e-4
    noisy.step(tokens, np.full(2, FRESH), zero)
    second = plain.step(tokens, np.array([0, 1]), zero)
    np.testing.assert_allclose(
        noisy.step(tokens, np.array([0, 1]), noise).q_halt, second.q_halt, atol=1e-6
    )


def test_answers_have_the_contracts_dtypes(make: Make) -> None:
    out = make().step(questions(2), np.full(2, FRESH), noises(2))
    assert (out.answer.dtype, out.q_halt.dtype) == (np.int32, np.float32)


def test_the_task_changes_the_answer_in_both_runtimes_alike(task_bundle: Path) -> None:
    trm = load_model(task_bundle.parent / "checkpoint")
    by_onnx = OnnxStepper.open(task_bundle)
    by_torch = TorchStepper(trm, by_onnx.spec)
    tokens, source = np.repeat(questions(1), 3, 0), np.full(3, FRESH)
    noise, task = np.zeros((3, by_onnx.state_len), np.float32), np.arange(3)
    q_halt = by_onnx.step(tokens, source, noise, task).q_halt
    assert len(np.unique(q_halt.round(4))) == 3
    np.testing.assert_allclose(by_torch.step(tokens, source, noise, task).q_halt, q_halt, atol=1e-5)


def test_a_bundle_of_several_graphs_must_be_told_which(lattice_bundle: Path) -> None:
    with pytest.raises(BundleError, match="several graphs, name one; it has sudoku-4x4"):
        OnnxStepper.open(lattice_bundle)
    with pytest.raises(BundleError, match="no graph for sudoku-9x9"):
        OnnxStepper.open(lattice_bundle, "sudoku-9x9")
