"""A palette's compiled gradients against PyTorch's, on every kind of CPU there is."""

import numpy as np
import pytest
import torch
from torch import Tensor

from kernel.isa import Isa, UnsupportedError, host_isa
from kernel.training import KernelTraining, TrainedStep
from kernel.weights import PaletteWeights
from model.config import ModelConfig
from model.palette import SYMBOLS, PaletteBody
from model.trm import Carry, StepOutput, TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from puzzles.registry import by_name
from tests.kernel.training_cases import (
    ISAS,
    LOSS,
    Floats,
    Ints,
    bfloat16_isa,
    check_directions,
    check_gradients,
    check_step,
    code_of,
)
from tests.model.small import small_trm, sudoku
from training.losses import IGNORED_LABEL, StepLoss, step_loss
from training.row_loss import compiled_row_loss

TEN, TWENTY = by_name("arc-10x10").spec, by_name("arc-20x20").spec
SMALL = ModelConfig(
    cell="palette",
    hidden_size=16,
    blocks=1,
    latent_recursions=2,
    deep_recursions=1,
    expansion=2.0,
    tasks=2,
)
ROWS = 3
TOLERANCE = 5e-5  # of float32 sums over 400 cells


class Batch:
    """Random rows with pads and end marks; no labels in the second, gaps in the third."""

    def __init__(self, trm: TinyRecursiveModel, spec: PuzzleSpec) -> None:
        rng = np.random.default_rng(1)
        cells, size = (ROWS, spec.seq_len), trm.config.hidden_size
        self.tokens: Ints = rng.integers(0, spec.vocab_size, cells).astype(np.int32)
        self.tokens[rng.random(cells) < 0.3] = 0
        self.labels: Ints = rng.integers(1, spec.vocab_size, cells).astype(np.int32)
        self.labels[1] = IGNORED_LABEL
        self.labels[2, ::3] = IGNORED_LABEL
        state = (ROWS, trm.state_len(spec.seq_len), size)
        self.y: Floats = rng.standard_normal(state, np.float32)
        self.z: Floats = rng.standard_normal(state, np.float32)
        assert trm.body.tasks is not None
        self._task_rows: Floats = rng.standard_normal((ROWS, trm.body.tasks.shape[1]), np.float32)

    @property
    def task_rows(self) -> Tensor:
        """(B, E), apart from all else, wanting a gradient."""
        return torch.from_numpy(self._task_rows).clone().requires_grad_()


def palette(change: dict[str, int], spec: PuzzleSpec) -> TinyRecursiveModel:
    return small_trm(SMALL.model_copy(update=change), spec)


def weights_of(trm: TinyRecursiveModel) -> PaletteWeights:
    config = trm.config
    return PaletteWeights.of_state(
        {name: tensor.numpy() for name, tensor in trm.state_dict().items()},
        latent_recursions=config.latent_recursions,
        deep_recursions=config.deep_recursions,
    )


def compiled(
    trm: TinyRecursiveModel,
    spec: PuzzleSpec,
    batch: Batch,
    isa: Isa | None = None,
    threads: int = 1,
) -> tuple[TrainedStep, dict[str, Floats]]:
    """The step, and all gradients: those of the symbols taken back to tasks and special symbols."""
    weights = weights_of(trm)
    size = trm.config.hidden_size
    code = code_of(weights.network, isa or host_isa("float32", sizes=(size, 2 * size)))
    loss = compiled_row_loss(LOSS, ROWS)
    kernel = KernelTraining(code, spec, loss.address, threads=threads, batch=ROWS)
    body, task_rows = trm.body, batch.task_rows
    assert isinstance(body, PaletteBody)
    told = body.told(torch.from_numpy(batch.tokens).long(), task_rows)
    found = kernel.step(
        weights, batch.tokens, batch.labels, batch.y, batch.z, told.detach().numpy()
    )
    trm.zero_grad()
    told.backward(torch.from_numpy(found.told_gradients))
    of_told = {"task": task_rows} | dict(trm.named_parameters())
    return found, found.gradients | {
        name: parameter.grad.numpy()
        for name, parameter in of_told.items()
        if parameter.grad is not None
    }


def by_torch(
    trm: TinyRecursiveModel, batch: Batch
) -> tuple[StepOutput, StepLoss, dict[str, Floats]]:
    trm.zero_grad()
    task_rows = batch.task_rows
    carry = Carry(torch.from_numpy(batch.y), torch.from_numpy(batch.z))
    output = trm.with_task_rows(torch.from_numpy(batch.tokens).long(), carry, task_rows)
    loss = step_loss(output, torch.from_numpy(batch.labels).long(), LOSS)
    loss.total.backward()
    assert task_rows.grad is not None
    gradients = {"task": task_rows.grad.numpy()}
    for name, parameter in trm.named_parameters():
        if name != "body.tasks":
            assert parameter.grad is not None
            gradients[name] = parameter.grad.numpy()
    return output, loss, gradients


def check(trm: TinyRecursiveModel, spec: PuzzleSpec, isa: Isa | None = None) -> None:
    batch = Batch(trm, spec)
    found, ours = compiled(trm, spec, batch, isa)
    output, loss, gradients = by_torch(trm, batch)
    check_step(found, output, loss, tolerance=TOLERANCE)
    assert found.losses[:, 3].tolist() == [0, 1, 0]
    check_gradients(ours, gradients, tolerance=TOLERANCE)


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: f"{isa.lanes}-lanes")
def test_gradients_are_pytorchs(isa: Isa) -> None:
    check(palette({}, TEN), TEN, isa)


def test_the_same_code_serves_a_larger_canvas() -> None:
    check(palette({}, TWENTY), TWENTY)


@pytest.mark.parametrize(
    "change",
    [{"hidden_size": 32}, {"blocks": 2}, {"deep_recursions": 2}, {"lenses": 5, "colour_maps": 2}],
    ids=str,
)
def test_gradients_of_deeper_and_wider_networks_are_pytorchs(change: dict[str, int]) -> None:
    check(palette(change, TEN), TEN)


@pytest.mark.parametrize("tiles", [False, True], ids=["vectors", "tiles"])
def test_gradients_of_bfloat16_point_the_same_way(*, tiles: bool) -> None:
    isa = bfloat16_isa(tiles=tiles)
    trm = palette({"hidden_size": 32}, TEN)
    batch = Batch(trm, TEN)
    _, ours = compiled(trm, TEN, batch, isa)
    check_directions(ours, by_torch(trm, batch)[2])


def test_any_number_of_threads_sums_the_same() -> None:
    trm = palette({}, TEN)
    batch = Batch(trm, TEN)
    (_, one), (_, three) = (compiled(trm, TEN, batch, threads=threads) for threads in (1, 3))
    assert all((three[name] == gradient).all() for name, gradient in one.items())


def test_what_is_told_has_a_shape() -> None:
    trm = palette({}, TEN)
    batch = Batch(trm, TEN)
    weights = weights_of(trm)
    code = code_of(weights.network, host_isa("float32", sizes=(16, 32)))
    kernel = KernelTraining(code, TEN, compiled_row_loss(LOSS, ROWS).address, threads=1, batch=ROWS)
    told = np.zeros((ROWS, SYMBOLS, 16), np.float32)
    with pytest.raises(ValueError, match=r"told is \(3, 11, 16\), expected \(3, 1100, 16"):
        kernel.step(weights, batch.tokens, batch.labels, batch.y, batch.z, told)


def test_a_puzzle_that_is_no_canvas_is_refused() -> None:
    weights = weights_of(palette({}, TEN))
    with pytest.raises(UnsupportedError, match="sudoku-4x4: the palette cell needs a square"):
        KernelTraining.open(weights.network, sudoku(4), 0, batch=ROWS, precision="float32")
