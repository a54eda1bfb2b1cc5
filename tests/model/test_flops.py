"""The count of multiply-adds against torch's own."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from model.config import ModelConfig
from model.flops import step_flops
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from puzzles.registry import by_name

FOUR = by_name("sudoku-4x4").spec
SIX = by_name("sudoku-6x6").spec
LATTICE = ModelConfig(
    cell="lattice", hidden_size=8, blocks=2, latent_recursions=2, deep_recursions=3, expansion=2.0
)
MLP = ModelConfig(cell="mlp", hidden_size=32, blocks=2, latent_recursions=2, deep_recursions=2)
ATTENTION = ModelConfig(
    cell="attention", hidden_size=32, blocks=1, heads=4, latent_recursions=3, prefix_len=2
)


PALETTE = LATTICE.model_copy(update={"cell": "palette"})
CASES = [(config, spec) for config in (LATTICE, MLP, ATTENTION) for spec in (FOUR, SIX)]
CASES.append((LATTICE.model_copy(update={"unit_attention": 4}), SIX))
CASES.append((PALETTE, by_name("arc-10x10").spec))


@pytest.mark.parametrize(
    ("config", "spec"),
    CASES,
    ids=[f"{config.cell}-{config.unit_attention}-{spec.name}" for config, spec in CASES],
)
def test_the_count_is_torchs_for_every_cell(config: ModelConfig, spec: PuzzleSpec) -> None:
    batch = 3
    trm = TinyRecursiveModel(config, (spec,))
    carry = trm.start(torch.zeros(batch, trm.state_len(spec.seq_len)))
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:  # it counts no other
        trm(torch.ones(batch, spec.seq_len, dtype=torch.int64), carry)
    assert batch * step_flops(config, spec) == counter.get_total_flops()


def test_the_papers_network_takes_nineteen_billion_operations_a_step() -> None:
    paper = ModelConfig(cell="mlp", hidden_size=512, latent_recursions=6, deep_recursions=3)
    assert step_flops(paper, by_name("sudoku-9x9").spec) == pytest.approx(18.7e9, rel=0.01)
