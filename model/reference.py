"""Weights under the reference implementation's names, turned into ours.

Reads its `.pt` state dicts (with the `_orig_mod.` prefixes that torch.compile leaves) and `.npz`
files of named arrays. The reference's z_H is our y, its z_L our z.
"""

import json
import math
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from model.checkpoint import CheckpointError, mismatches
from model.config import ModelConfig
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec

PREFIX = re.compile(r"^(?:_orig_mod\.|model\.|inner\.|w\.)+")
NAMES = {
    "H_init": "y_start",
    "L_init": "z_start",
    "embed_tokens.embedding_weight": "body.tokens",
    "embed_pos.embedding_weight": "body.positions",
    "puzzle_emb.weights": "body.tasks",
    "lm_head.weight": "body.answer.weight",
}
LAYER_NAMES = {
    "mlp_t.gate_up_proj": "over_positions.gate_up",
    "mlp_t.down_proj": "over_positions.down",
    "mlp.gate_up_proj": "over_channels.gate_up",
    "mlp.down_proj": "over_channels.down",
    "self_attn.qkv_proj": "attention.qkv",
    "self_attn.o_proj": "attention.out",
}
LAYER = re.compile(r"^L_level\.layers\.(\d+)\.(.+)\.weight$")
IGNORED = re.compile(r"rotary_emb\.|puzzle_emb\.local_")  # tables and per-batch buffers


class ReferenceConfig(BaseModel):
    """The keys of the reference's model config that decide its shape; it has others."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hidden_size: int
    vocab_size: int
    seq_len: int
    H_cycles: int
    L_cycles: int
    L_layers: int
    expansion: float
    num_heads: int
    pos_encodings: Literal["rope", "learned", "none"]
    mlp_t: bool = False
    puzzle_emb_ndim: int = 0
    puzzle_emb_len: int = 16
    num_puzzle_identifiers: int = 0
    halt_max_steps: int = 16

    def to_model_config(self) -> ModelConfig:
        """Our config of the same network."""
        has_tasks = self.puzzle_emb_ndim > 0
        # Length 0 asks for as many positions as the embedding fills.
        prefix_len = self.puzzle_emb_len or math.ceil(self.puzzle_emb_ndim / self.hidden_size)
        return ModelConfig(
            cell="mlp" if self.mlp_t else "attention",
            hidden_size=self.hidden_size,
            blocks=self.L_layers,
            latent_recursions=self.L_cycles,
            deep_recursions=self.H_cycles,
            expansion=self.expansion,
            heads=self.num_heads,
            # The reference ignores positions in its MLP cell unless they are learned.
            position="none" if self.mlp_t and self.pos_encodings == "rope" else self.pos_encodings,
            prefix_len=prefix_len if has_tasks else 0,
            tasks=self.num_puzzle_identifiers if has_tasks else 0,
            halt_from="first",
        )


def read_arrays(path: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """All arrays of a `.npz` or `.pt` file, and the config that lies in it, if one does.

    Raises: CheckpointError.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                config = json.loads(str(file["config"])) if "config" in file else None
                names = [name for name in file.files if name != "config"]
                return {name: torch.from_numpy(file[name]) for name in names}, config
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except Exception as error:  # zip, numpy and torch each raise their own
        raise CheckpointError(f"{path}: cannot be read as reference weights: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{path}: expected a state dict of named arrays")
    return state, None


def read_config(raw: dict[str, Any], where: str) -> ReferenceConfig:
    """Check a reference config. Raises: CheckpointError."""
    try:
        return ReferenceConfig.model_validate(raw)
    except ValidationError as error:
        raise CheckpointError(f"{where}: {error}") from error


def translate(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reference names -> our names; arrays that hold no weights are left out.

    Raises: CheckpointError naming every array that is not understood.
    """
    ours: dict[str, Tensor] = {}
    unknown = []
    for raw_name, array in arrays.items():
        name = PREFIX.sub("", raw_name)
        layer = LAYER.match(name)
        if name in NAMES:
            ours[NAMES[name]] = array.float()
        elif layer is not None and layer[2] in LAYER_NAMES:
            ours[f"body.blocks.{layer[1]}.{LAYER_NAMES[layer[2]]}.weight"] = array.float()
        elif name == "q_head.weight":
            ours["halt.weight"] = array[:1].float()  # row 0 halts; row 1, "continue", is unused
        elif name == "q_head.bias":
            ours["halt_bias"] = array[:1].float()
        elif not IGNORED.search(name):
            unknown.append(raw_name)
    if unknown:
        raise CheckpointError(f"not weights of a TRM: {', '.join(sorted(unknown))}")
    return ours


def build(arrays: dict[str, Tensor], config: ModelConfig, spec: PuzzleSpec) -> TinyRecursiveModel:
    """The model that these reference arrays are.

    The reference has no start noise; its directions keep their seeded values.
    Raises: CheckpointError naming every array that is missing or misshapen.
    """
    torch.manual_seed(0)
    trm = TinyRecursiveModel(config, (spec,)).eval()
    ours = translate(arrays)
    expected = trm.state_dict()
    ours |= {name: expected[name] for name in ("y_noise", "z_noise")}
    problems = mismatches(expected, ours)
    if problems:
        raise CheckpointError(f"weights do not fit their config: {'; '.join(problems)}")
    trm.load_state_dict(ours)
    return trm
