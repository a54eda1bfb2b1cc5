"""Compiled gradients against PyTorch's, on every kind of CPU there is."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from export.lattice_weights import lattice_weights
from kernel.isa import Isa, host_isa
from kernel.training import KernelTraining, TrainedStep
from kernel.weights import LatticeWeights
from model.config import ModelConfig
from model.trm import Carry, StepOutput, TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from tests.kernel.training_cases import (
    ISAS,
    LOSS,
    Floats,
    Gradients,
    Ints,
    bfloat16_isa,
    check_directions,
    check_gradients,
    check_norms,
    check_step,
    code_of,
)
from tests.model.small import LATTICE, small_trm, sudoku
from training.losses import IGNORED_LABEL, StepLoss, step_loss
from training.row_loss import compiled_row_loss

SMALL = LATTICE.model_copy(update={"hidden_size": 16, "latent_recursions": 2, "deep_recursions": 1})
ROWS = 5
TOLERANCE = 2e-5


class Batch:
    """Random questions, states and labels; the second row has no solution, the third some gaps."""

    def __init__(self, trm: TinyRecursiveModel, spec: PuzzleSpec) -> None:
        rng = np.random.default_rng(1)
        self.tokens: Ints = rng.integers(2, spec.vocab_size, (ROWS, spec.seq_len)).astype(np.int32)
        self.tokens[rng.random(self.tokens.shape) < 0.5] = 1
        self.labels: Ints = rng.integers(2, spec.vocab_size, self.tokens.shape).astype(np.int32)
        self.labels[1] = IGNORED_LABEL
        self.labels[2, ::3] = IGNORED_LABEL
        state = (ROWS, trm.state_len(spec.seq_len), trm.config.hidden_size)
        self.y: Floats = rng.standard_normal(state, np.float32)
        self.z: Floats = rng.standard_normal(state, np.float32)


def compiled(
    trm: TinyRecursiveModel,
    spec: PuzzleSpec,
    batch: Batch,
    isa: Isa | None = None,
    threads: int = 1,
) -> TrainedStep:
    weights: LatticeWeights = lattice_weights(trm)
    code = code_of(weights.network, isa or host_isa("float32", sizes=(16,)))
    loss = compiled_row_loss(LOSS, ROWS)
    kernel = KernelTraining(code, spec, loss.address, threads=threads, batch=ROWS)
    return kernel.step(weights, batch.tokens, batch.labels, batch.y, batch.z)


def by_torch(
    trm: TinyRecursiveModel, batch: Batch
) -> tuple[StepOutput, StepLoss, dict[str, Floats]]:
    tokens = torch.from_numpy(batch.tokens).long()
    trm.zero_grad()
    output = trm(tokens, Carry(torch.from_numpy(batch.y), torch.from_numpy(batch.z)))
    loss = step_loss(output, torch.from_numpy(batch.labels).long(), LOSS)
    loss.total.backward()
    gradients = {}
    for name, parameter in trm.named_parameters():
        assert parameter.grad is not None
        gradients[name] = parameter.grad.numpy()
    return output, loss, gradients


def check(
    trm: TinyRecursiveModel,
    spec: PuzzleSpec,
    isa: Isa | None = None,
    check_found: Callable[[Gradients, Gradients], None] = check_gradients,
) -> None:
    batch = Batch(trm, spec)
    found = compiled(trm, spec, batch, isa)
    output, loss, gradients = by_torch(trm, batch)
    check_step(found, output, loss, tolerance=TOLERANCE)
    assert found.losses[:, 3].tolist() == [0, 1, 0, 0, 0]
    check_found(found.gradients, gradients)


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: f"{isa.lanes}-lanes")
def test_gradients_are_pytorchs(isa: Isa) -> None:
    spec = sudoku(6)
    check(small_trm(SMALL, spec), spec, isa)


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: f"{isa.lanes}-lanes")
@pytest.mark.parametrize("key", [8, 16])
def test_gradients_of_attention_inside_units_are_pytorchs(isa: Isa, key: int) -> None:
    spec = sudoku(6)
    trm = small_trm(SMALL.model_copy(update={"unit_attention": key}), spec)
    check(trm, spec, isa, check_norms)


@pytest.mark.parametrize("change", [{"deep_recursions": 2}, {"blocks": 2}, {"hidden_size": 32}])
def test_gradients_of_deeper_and_wider_networks_are_pytorchs(change: dict[str, int]) -> None:
    spec = sudoku(4)
    config: ModelConfig = SMALL.model_copy(update=change)
    check(small_trm(config, spec), spec)


@pytest.mark.parametrize("key", [0, 8, 16])
@pytest.mark.parametrize("tiles", [False, True], ids=["vectors", "tiles"])
def test_gradients_of_bfloat16_point_the_same_way(key: int, *, tiles: bool) -> None:
    spec = sudoku(9)
    isa = bfloat16_isa(tiles=tiles)
    config = SMALL.model_copy(update={"hidden_size": 32, "unit_attention": key})
    trm = small_trm(config, spec)
    batch = Batch(trm, spec)
    found = compiled(trm, spec, batch, isa)
    check_directions(found.gradients, by_torch(trm, batch)[2])


def test_any_number_of_threads_sums_the_same() -> None:
    spec = sudoku(4)
    trm = small_trm(SMALL, spec)
    batch = Batch(trm, spec)
    one, three = (compiled(trm, spec, batch, threads=threads) for threads in (1, 3))
    assert all((three.gradients[name] == g).all() for name, g in one.gradients.items())


def test_exact_answers_are_reported() -> None:
    spec = sudoku(4)
    trm = small_trm(SMALL, spec)
    batch = Batch(trm, spec)
    batch.labels[0] = compiled(trm, spec, batch).answer[0]
    assert compiled(trm, spec, batch).losses[:, 2].tolist() == [1, 0, 0, 0, 0]


def test_arrays_of_another_shape_are_refused() -> None:
    spec = sudoku(4)
    trm = small_trm(SMALL, spec)
    batch = Batch(trm, spec)
    batch.tokens = batch.tokens[:, 1:]
    with pytest.raises(ValueError, match=r"tokens is \(5, 15\), expected \(5, 16\)"):
        compiled(trm, spec, batch)
