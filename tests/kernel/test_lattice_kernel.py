"""The compiled step against the model that it was written from, on every kind of CPU there is.

A machine with narrow vectors is tried on any other: LLVM makes what it is told of what it has.
"""

import functools
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from export.lattice_weights import lattice_weights
from kernel.compiled import Compiled
from kernel.isa import Isa, UnsupportedError, host_isa
from kernel.lattice import LatticeKernel
from kernel.layout import Network
from kernel.step_code import StepCode
from kernel.weights import LatticeWeights
from model.config import ModelConfig
from model.trm import Carry, TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from tests.kernel.training_cases import bfloat16_isa
from tests.model.small import LATTICE, MIXER, small_trm, sudoku

ISAS = (Isa(4, 32), Isa(8, 16), Isa(16, 32))
SMALL = LATTICE.model_copy(update={"hidden_size": 16, "latent_recursions": 2, "deep_recursions": 1})
ROWS = 5
FLOAT32_TOLERANCE = 2e-5
# Rounding factors to 8 bits of mantissa moves a state of unit size by about a hundredth.
BFLOAT16_MEAN_TOLERANCE = 0.02


@dataclass(frozen=True)
class Asked:
    """One step's inputs; y, z: (ROWS, L, D) of the step before."""

    tokens: npt.NDArray[np.int32]
    noise: npt.NDArray[np.float32]


def asked(spec: PuzzleSpec, rows: int = ROWS, seed: int = 0) -> Asked:
    """Questions with about half of their cells empty, and start noise."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(2, spec.vocab_size, (rows, spec.seq_len)).astype(np.int32)
    tokens[rng.random(tokens.shape) < 0.5] = 1
    noise = rng.standard_normal((rows, spec.seq_len * spec.symbols)).astype(np.float32)
    return Asked(tokens, noise)


def fresh(rows: int = ROWS) -> npt.NDArray[np.int64]:
    return np.full(rows, -1)


@functools.cache
def code_of(network: Network, isa: Isa) -> Compiled:
    return Compiled(StepCode(network, isa))


def compiled(
    trm: TinyRecursiveModel, spec: PuzzleSpec, isa: Isa | None = None, threads: int = 1
) -> LatticeKernel:
    weights = lattice_weights(trm)
    step = code_of(weights.network, isa or host_isa("float32"))
    return LatticeKernel(step, weights, spec, threads=threads)


def torch_steps(trm: TinyRecursiveModel, question: Asked, steps: int) -> list[dict[str, object]]:
    """What PyTorch says of so many steps of fresh rows."""
    outputs = []
    with torch.inference_mode():
        carry: Carry = trm.start(torch.from_numpy(question.noise))
        for _ in range(steps):
            output = trm(torch.from_numpy(question.tokens), carry)
            carry = output.carry
            outputs.append(
                {
                    "y": carry.y.numpy(),
                    "z": carry.z.numpy(),
                    "answer": output.logits.argmax(-1).numpy(),
                    "q_halt": output.q_halt.numpy(),
                }
            )
    return outputs


def assert_agrees(kernel: LatticeKernel, trm: TinyRecursiveModel, spec: PuzzleSpec) -> None:
    """Two steps, so that both fresh rows and a carry are compared."""
    question = asked(spec)
    for step, expected in enumerate(torch_steps(trm, question, 2)):
        source = fresh() if step == 0 else np.arange(ROWS)
        stepped = kernel.step(question.tokens, source, question.noise)
        y, z = kernel.carry
        np.testing.assert_allclose(y, expected["y"], atol=FLOAT32_TOLERANCE)
        np.testing.assert_allclose(z, expected["z"], atol=FLOAT32_TOLERANCE)
        np.testing.assert_array_equal(stepped.answer, expected["answer"])
        np.testing.assert_allclose(stepped.q_halt, expected["q_halt"], atol=1e-4)


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: f"{isa.lanes} lanes")
@pytest.mark.parametrize("size", [4, 6, 9])
@pytest.mark.parametrize("key", [0, 8])
def test_it_answers_as_the_model_does_with_vectors_of_every_width(
    key: int, size: int, isa: Isa
) -> None:
    spec = sudoku(size)
    trm = small_trm(SMALL.model_copy(update={"unit_attention": key}), spec)
    assert_agrees(compiled(trm, spec, isa), trm, spec)


@pytest.mark.parametrize(
    "change",
    [
        {"blocks": 2},
        {"deep_recursions": 3},
        {"hidden_size": 32},
        {"hidden_size": 48, "expansion": 1.0},
        {"hidden_size": 64, "expansion": 1.0},
        {"hidden_size": 32, "blocks": 2, "unit_attention": 16},
    ],
    ids=str,
)
def test_it_answers_as_the_model_does_at_other_sizes(change: dict[str, float]) -> None:
    spec = sudoku(6)
    config = ModelConfig.model_validate(SMALL.model_dump() | change)
    trm = small_trm(config, spec)
    assert_agrees(compiled(trm, spec), trm, spec)


@pytest.mark.parametrize(("size", "key"), [(16, 0), (32, 0), (32, 8), (64, 16)])
@pytest.mark.parametrize("tiles", [False, True], ids=["vectors", "tiles"])
def test_bfloat16_stays_near_the_model(size: int, key: int, *, tiles: bool) -> None:
    isa = bfloat16_isa(tiles=tiles)
    spec = sudoku(9)
    trm = small_trm(SMALL.model_copy(update={"hidden_size": size, "unit_attention": key}), spec)
    kernel, question = compiled(trm, spec, isa), asked(spec)
    kernel.step(question.tokens, fresh(), question.noise)
    apart = np.abs(kernel.carry[0] - torch_steps(trm, question, 1)[0]["y"])
    assert 0 < apart.mean() < BFLOAT16_MEAN_TOLERANCE


def test_threads_do_not_change_a_bit() -> None:
    spec = sudoku(4)
    trm = small_trm(SMALL, spec)
    one, three = compiled(trm, spec), compiled(trm, spec, threads=3)
    question = asked(spec)
    for kernel in (one, three):
        kernel.step(question.tokens, fresh(), question.noise)
    np.testing.assert_array_equal(one.carry[0], three.carry[0])
    np.testing.assert_array_equal(one.carry[1], three.carry[1])


def test_threads_of_python_do_the_same_where_there_are_no_semaphores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = sudoku(4)
    trm = small_trm(SMALL, spec)
    one = compiled(trm, spec)
    monkeypatch.setattr("sys.platform", "somewhere")
    three, question = compiled(trm, spec, threads=3), asked(spec)
    for kernel in (one, three):
        kernel.step(question.tokens, fresh(), question.noise)
    np.testing.assert_array_equal(one.carry[0], three.carry[0])


def test_a_kernel_that_is_gone_leaves_no_threads_behind() -> None:
    spec = sudoku(4)
    kernel = compiled(small_trm(SMALL, spec), spec, threads=4)
    helpers = [thread for thread in threading.enumerate() if thread.name == "ponder-kernel"]
    assert len(helpers) >= 3
    del kernel
    for thread in helpers:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in helpers)


def test_source_compacts_reorders_and_refills() -> None:
    spec = sudoku(4)
    trm = small_trm(SMALL, spec)
    kernel, question = compiled(trm, spec), asked(spec)
    kernel.step(question.tokens, fresh(), question.noise)
    source = np.array([3, -1, 0])
    of = [3, 4, 0]  # whose question each row has now; row 4's starts anew
    kernel.step(question.tokens[of], source, question.noise[of])
    first, second = torch_steps(trm, question, 2)
    expected = np.stack([second["y"][3], first["y"][4], second["y"][0]])
    np.testing.assert_allclose(kernel.carry[0], expected, atol=FLOAT32_TOLERANCE)


def test_more_rows_than_before_find_room() -> None:
    spec = sudoku(4)
    kernel = compiled(small_trm(SMALL, spec), spec)
    for rows in (1, 7, 2, 9):
        question = asked(spec, rows)
        assert kernel.step(question.tokens, fresh(rows), question.noise).q_halt.shape == (rows,)


def test_a_source_beyond_the_step_before_is_refused() -> None:
    spec = sudoku(4)
    kernel, question = compiled(small_trm(SMALL, spec), spec), asked(spec)
    kernel.step(question.tokens[:2], fresh(2), question.noise[:2])
    with pytest.raises(ValueError, match="source 2: the step before had 2 rows"):
        kernel.step(question.tokens[:1], np.array([2]), question.noise[:1])
    kernel.reset()
    with pytest.raises(ValueError, match="the step before had 0 rows"):
        kernel.step(question.tokens[:1], np.array([0]), question.noise[:1])


def test_inputs_of_another_shape_are_refused() -> None:
    spec = sudoku(4)
    kernel, question = compiled(small_trm(SMALL, spec), spec), asked(spec)
    with pytest.raises(ValueError, match=r"tokens is \(5, 15\), expected \(5, 16\)"):
        kernel.step(question.tokens[:, 1:], fresh(), question.noise)
    with pytest.raises(ValueError, match=r"noise is \(5, 63\), expected \(5, 64\)"):
        kernel.step(question.tokens, fresh(), question.noise[:, 1:])


def test_a_network_that_does_not_fill_vectors_is_refused() -> None:
    weights = lattice_weights(small_trm(LATTICE, sudoku(4)))
    with pytest.raises(UnsupportedError, match="hidden size 8 is no multiple of 16"):
        Compiled(StepCode(weights.network, Isa(16, 32)))


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    spec = sudoku(4)
    trm = small_trm(SMALL, spec)
    weights = lattice_weights(trm)
    weights.save(tmp_path / "weights.npz")
    loaded = LatticeWeights.load(tmp_path / "weights.npz")
    assert loaded.network == weights.network
    step = code_of(loaded.network, host_isa("float32"))
    assert_agrees(LatticeKernel(step, loaded, spec, threads=1), trm, spec)


def test_only_a_lattice_has_weights_for_the_kernel() -> None:
    with pytest.raises(ValueError, match="cell 'mlp'"):
        lattice_weights(small_trm(MIXER, sudoku(4)))
