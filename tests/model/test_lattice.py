"""The lattice commutes with the symmetries of the puzzle, at every size, with the same weights.

The network under test is shallow on purpose: untrained recursions amplify float32 rounding (to
1e-3 at 36 blocks in a row), which would hide a small real asymmetry behind a loose tolerance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from model.config import ModelConfig
from model.lattice import NO_SYMBOL_LOGIT
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from tests.model.small import LATTICE, small_trm, sudoku

SIZES = (4, 6, 9)
SPECS = tuple(sudoku(size) for size in SIZES)
CONFIG = LATTICE.model_copy(
    update={"hidden_size": 16, "latent_recursions": 2, "deep_recursions": 1}
)
SUPERVISION_STEPS = 3


@dataclass(frozen=True)
class Symmetry:
    """New cell i shows old cell `cells[i]`, in which symbol s has become `symbols[s]`."""

    cells: Tensor  # (S,)
    symbols: Tensor  # (N,)


def _lines(spec: PuzzleSpec, rows: Tensor, columns: Tensor) -> Symmetry:
    cells = torch.arange(spec.seq_len).view(spec.height, spec.width)
    return Symmetry(cells[rows][:, columns].flatten(), torch.arange(spec.symbols))


def _blocks(size: int, block: int) -> Tensor:
    order = torch.randperm(size // block)
    return torch.arange(size).view(-1, block)[order].flatten()


def _within(size: int, block: int) -> Tensor:
    return torch.cat([start + torch.randperm(block) for start in range(0, size, block)])


def symbols(spec: PuzzleSpec) -> Symmetry:
    return Symmetry(torch.arange(spec.seq_len), torch.randperm(spec.symbols))


def bands(spec: PuzzleSpec) -> Symmetry:
    return _lines(spec, _blocks(spec.height, spec.box_height or 1), torch.arange(spec.width))


def rows(spec: PuzzleSpec) -> Symmetry:
    return _lines(spec, _within(spec.height, spec.box_height or 1), torch.arange(spec.width))


def stacks(spec: PuzzleSpec) -> Symmetry:
    return _lines(spec, torch.arange(spec.height), _blocks(spec.width, spec.box_width or 1))


def columns(spec: PuzzleSpec) -> Symmetry:
    return _lines(spec, torch.arange(spec.height), _within(spec.width, spec.box_width or 1))


def transpose(spec: PuzzleSpec) -> Symmetry:
    cells = torch.arange(spec.seq_len).view(spec.height, spec.width)
    return Symmetry(cells.T.flatten(), torch.arange(spec.symbols))


def run(trm: TinyRecursiveModel, tokens: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Pair logits (B, S, N) and q_halt (B,) after several supervision steps."""
    with torch.no_grad():
        output = trm(tokens, trm.start(noise.flatten(1)))
        for _ in range(SUPERVISION_STEPS - 1):
            output = trm(tokens, output.carry)
    return output.logits[..., -noise.shape[-1] :], output.q_halt


@pytest.fixture(scope="module", params=[0, 4], ids=["means", "attention"])
def trm(request: pytest.FixtureRequest) -> TinyRecursiveModel:
    config = CONFIG.model_copy(update={"unit_attention": request.param})
    return small_trm(config, *SPECS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("draw", [symbols, bands, rows, stacks, columns])
def test_a_changed_question_gets_the_answer_changed_alike(
    trm: TinyRecursiveModel, draw: Callable[[PuzzleSpec], Symmetry], size: int
) -> None:
    check_equivariant(trm, sudoku(size), draw)


@pytest.mark.parametrize("size", [4, 9])  # boxes of 6×6 are oblong: no symmetry there
def test_a_transposed_question_gets_the_answer_transposed(
    trm: TinyRecursiveModel, size: int
) -> None:
    check_equivariant(trm, sudoku(size), transpose)


def check_equivariant(
    trm: TinyRecursiveModel, spec: PuzzleSpec, draw: Callable[[PuzzleSpec], Symmetry]
) -> None:
    torch.manual_seed(1)
    symmetry, pairs = draw(spec), (5, spec.seq_len, spec.symbols)
    tokens, noise = torch.randint(1, spec.vocab_size, pairs[:2]), torch.randn(pairs)
    logits, q_halt = run(trm, tokens, noise)

    back = symmetry.symbols.argsort()
    renamed = torch.cat([torch.tensor([0, 1]), symmetry.symbols + 2])
    changed_noise = noise[:, symmetry.cells][:, :, back]
    changed = run(trm, renamed[tokens[:, symmetry.cells]], changed_noise)

    torch.testing.assert_close(changed[0], logits[:, symmetry.cells][:, :, back], atol=1e-5, rtol=0)
    torch.testing.assert_close(changed[1], q_halt, atol=1e-5, rtol=0)
    assert logits.std() > 0.01  # a constant would be equivariant too


def test_cells_of_different_rows_are_not_interchangeable(trm: TinyRecursiveModel) -> None:
    torch.manual_seed(1)
    spec = sudoku(9)
    tokens = torch.randint(1, spec.vocab_size, (1, spec.seq_len))
    noise = torch.zeros(1, spec.seq_len, spec.symbols)
    across = torch.arange(9)
    across[[0, 3]] = across[[3, 0]]  # rows of two bands
    cells = _lines(spec, across, torch.arange(9)).cells
    logits, _ = run(trm, tokens, noise)
    swapped, _ = run(trm, tokens[:, cells], noise)
    assert (swapped - logits[:, cells]).abs().max() > 1e-3


def test_pad_and_empty_are_never_an_answer(trm: TinyRecursiveModel) -> None:
    torch.manual_seed(1)
    tokens = torch.randint(1, 6, (2, 16))
    with torch.no_grad():
        output = trm(tokens, trm.start(torch.zeros(2, 64)))
    assert (output.logits[..., :2] == NO_SYMBOL_LOGIT).all()
    assert (output.logits.argmax(-1) >= 2).all()


def test_weights_do_not_depend_on_the_size() -> None:
    small, large = (small_trm(CONFIG, spec).state_dict() for spec in (SPECS[0], SPECS[-1]))
    assert all(torch.equal(small[name], large[name]) for name in small | large)


def test_a_lattice_config_names_no_size() -> None:
    assert not {"height", "width", "seq_len"} & set(ModelConfig.model_fields)
