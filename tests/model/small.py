"""Small networks with random weights, the halt head's included, and their checkpoints."""

from pathlib import Path

import torch

from model.checkpoint import CheckpointInfo, save_checkpoint
from model.config import ModelConfig
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from puzzles.registry import by_name

# As few recursions as show what they do: exporting takes a time that grows with each of them.
LATTICE = ModelConfig(
    cell="lattice", hidden_size=8, blocks=1, latent_recursions=1, deep_recursions=2, expansion=2.0
)
MIXER = ModelConfig(
    cell="mlp", hidden_size=8, blocks=1, latent_recursions=1, deep_recursions=1, expansion=1.0
)
ATTENTION = ModelConfig(
    cell="attention",
    hidden_size=8,
    heads=2,
    blocks=1,
    latent_recursions=1,
    deep_recursions=1,
    expansion=1.0,
    position="rope",
    prefix_len=2,
    tasks=3,
)


def sudoku(size: int) -> PuzzleSpec:
    return by_name(f"sudoku-{size}x{size}").spec


def small_trm(config: ModelConfig, *specs: PuzzleSpec, seed: int = 0) -> TinyRecursiveModel:
    """No weight is zero, so that each one shows in the outputs.

    Residual branches are damped: undamped random ones are chaotic (16 supervision
    steps take a nudge of 1e-6 to 3), so whole solves would differ between correct runtimes.
    """
    torch.manual_seed(seed)
    trm = TinyRecursiveModel(config, specs).eval()
    with torch.no_grad():
        trm.halt.weight.normal_()
        trm.halt_bias.zero_()
        for name, weight in trm.named_parameters():
            if name.endswith((".down.weight", ".out.weight")):
                weight.mul_(0.1)
        tasks = dict(trm.named_parameters()).get("body.tasks")
        if tasks is not None:
            tasks.normal_()
    return trm


def save_small(trm: TinyRecursiveModel, directory: Path) -> Path:
    """A checkpoint of it, whose raw weights are the averaged ones plus one."""
    info = CheckpointInfo(
        name="small",
        config=trm.config,
        specs=trm.specs,
        optimizer_steps=7,
        trained_supervision_steps=16,
    )
    ema = trm.state_dict()
    raw = {name: array + 1 for name, array in ema.items()}
    save_checkpoint(directory, info, ema=ema, raw=raw, resume={"optimizer_step": 7})
    return directory
