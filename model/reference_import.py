"""Reference weights in, checkpoint out: config completed from the arrays, outputs compared."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.checkpoint import CheckpointError, CheckpointInfo, save_checkpoint
from model.layers import swiglu_width
from model.reference import (
    LAYER,
    PREFIX,
    ReferenceConfig,
    build,
    read_arrays,
    read_config,
)
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleKind, PuzzleSpec
from puzzles.registry import KINDS

INPUTS = ("inputs", "puzzle_identifiers", "labels")
FIRST_STEP_TOLERANCE, ROUNDING_GROWTH = 1e-4, 50  # float32
OUTPUT = re.compile(r"^(logits|q_halt|loss|y|z)_(\d+)$")
USUAL_EXPANSION = 4.0
USUAL_PREFIX = 16  # the reference's default puzzle_emb_len
AnswerLoss = Callable[[Tensor, Tensor], Tensor]  # logits (B, S, V), labels (B, S) -> (B,)


@dataclass(frozen=True)
class Reference:
    """A reference file, understood: the model it holds, its puzzle, and its recorded vectors."""

    name: str
    trm: TinyRecursiveModel
    config: ReferenceConfig
    spec: PuzzleSpec
    vectors: dict[str, Tensor]


def read_reference(path: Path, given: Mapping[str, Any], puzzle: PuzzleKind | None) -> Reference:
    """Rebuild the model of a `.npz` or `.pt` file.

    given: the reference's config keys where the file has none; what its arrays tell may be absent.
    puzzle: what the weights solve; None takes the one registered puzzle of their S and V, if any.
    Raises: CheckpointError naming what is missing, unknown or does not fit.
    """
    arrays, own = read_arrays(path)
    vectors = {
        name: array for name, array in arrays.items() if name in INPUTS or OUTPUT.match(name)
    }
    weights = {name: array for name, array in arrays.items() if name not in vectors}
    seq_len = puzzle.spec.seq_len if puzzle is not None else None
    known = inferred_config(weights, {**(own or {}), **given}, seq_len)
    absent = [
        key
        for key, field in ReferenceConfig.model_fields.items()
        if field.is_required() and key not in known
    ]
    if absent:
        raise CheckpointError(
            f"{path}: its arrays do not tell {', '.join(absent)}; give them with --config"
        )
    config = read_config(known, str(path))
    spec = _spec(config, puzzle)
    return Reference(
        path.stem, build(weights, config.to_model_config(), spec), config, spec, vectors
    )


def inferred_config(
    weights: Mapping[str, Tensor], given: Mapping[str, Any], seq_len: int | None
) -> dict[str, Any]:
    """`given`, completed by whatever the shapes of the weights tell beyond doubt."""
    shapes = {PREFIX.sub("", name): tuple(array.shape) for name, array in weights.items()}
    layers = [match for match in map(LAYER.match, shapes) if match is not None]
    found: dict[str, Any] = {}
    if layers:
        found["L_layers"] = 1 + max(int(layer[1]) for layer in layers)
    if embedding := shapes.get("embed_tokens.embedding_weight"):
        found["vocab_size"], found["hidden_size"] = embedding
        if gate_up := shapes.get("L_level.layers.0.mlp.gate_up_proj.weight"):
            found["expansion"] = _expansion(gate_up[0] // 2, embedding[1])
    if tasks := shapes.get("puzzle_emb.weights"):
        found["num_puzzle_identifiers"], found["puzzle_emb_ndim"] = tasks
    length = _positions(shapes, found)
    prefix = 0 if not tasks else int(given.get("puzzle_emb_len", USUAL_PREFIX))
    if seq_len is not None:
        found["seq_len"] = seq_len
        if length is not None and tasks:
            found["puzzle_emb_len"] = length - seq_len
    elif length is not None:
        found["seq_len"] = length - prefix
    return {**found, **given}


def _positions(shapes: Mapping[str, tuple[int, ...]], found: dict[str, Any]) -> int | None:
    """Put what the arrays tell of positions into `found`; L, where they tell it."""
    mixer = shapes.get("L_level.layers.0.mlp_t.gate_up_proj.weight")
    learned = shapes.get("embed_pos.embedding_weight")
    if mixer is not None:
        found |= {"mlp_t": True, "num_heads": 1, "pos_encodings": "none"}  # it has no heads
    if learned is not None:
        found["pos_encodings"] = "learned"
        return learned[0]
    return mixer[1] if mixer is not None else None


def _expansion(width: int, size: int) -> float:
    """An expansion that gives this inner width; all that do are the same network."""
    if swiglu_width(size, USUAL_EXPANSION) == width:
        return USUAL_EXPANSION
    return 1.5 * width / size


def _spec(config: ReferenceConfig, puzzle: PuzzleKind | None) -> PuzzleSpec:
    if puzzle is not None:
        sizes = (puzzle.spec.seq_len, puzzle.spec.vocab_size)
        if sizes != (config.seq_len, config.vocab_size):
            raise CheckpointError(
                f"weights for S={config.seq_len}, V={config.vocab_size}; "
                f"{puzzle.spec.name} has S={sizes[0]}, V={sizes[1]}"
            )
        return puzzle.spec
    fitting = [
        kind.spec
        for kinds in KINDS.values()
        for kind in kinds
        if (kind.spec.seq_len, kind.spec.vocab_size) == (config.seq_len, config.vocab_size)
    ]
    return fitting[0] if len(fitting) == 1 else _unnamed_spec(config)


def _unnamed_spec(config: ReferenceConfig) -> PuzzleSpec:
    """A puzzle of which only sizes are known: no rules, answers come as tokens."""
    side = math.isqrt(config.seq_len)
    height = side if side * side == config.seq_len else 1
    return PuzzleSpec(
        kind="reference",
        name=f"reference-{config.seq_len}",
        height=height,
        width=config.seq_len // height,
        seq_len=config.seq_len,
        vocab_size=config.vocab_size,
        uses_task=config.puzzle_emb_ndim > 0,
    )


def save_reference(reference: Reference, out: Path, versions: dict[str, str]) -> None:
    """Write it as a checkpoint; its one set of weights is both averaged and raw.

    Raises: FileExistsError.
    """
    info = CheckpointInfo(
        name=reference.name,
        config=reference.trm.config,
        specs=(reference.spec,),
        optimizer_steps=0,
        trained_supervision_steps=reference.config.halt_max_steps,
        versions=versions,
    )
    state = reference.trm.state_dict()
    save_checkpoint(out, info, ema=state, raw=state, resume=None)


def tolerated(output: str) -> float:
    """How far an output may be from the reference's, absolute, by the step that its name ends in.

    CPUs round differently, and untrained recursions blow that up about thirty times a step: 6e-5,
    2e-3 and 9e-2 between an Intel Xeon's and the recorded ones. A wrong state is off by 1.
    """
    step = int(output.rpartition("_")[2])
    return float(FIRST_STEP_TOLERANCE * ROUNDING_GROWTH ** (step - 1))


def largest_differences(reference: Reference, answer_loss: AnswerLoss) -> dict[str, float]:
    """Per output array of the file (logits_s, q_halt_s, loss_s, y_s, z_s): max |ours − theirs|.

    Raises: CheckpointError if the file records no outputs, or not what they were made from.
    """
    vectors, trm = reference.vectors, reference.trm
    steps = [int(match[2]) for match in map(OUTPUT.match, vectors) if match is not None]
    has_loss = any(name.startswith("loss_") for name in vectors)
    wanted = ("inputs", "labels") if has_loss else ("inputs",)
    absent = [name for name in wanted if name not in vectors]
    if not steps or absent:
        what = " and ".join(absent if steps else ["outputs"])
        raise CheckpointError(f"{reference.name}: holds no {what} to check with")
    tokens = vectors["inputs"].long()
    task = vectors.get("puzzle_identifiers", torch.zeros(len(tokens))).long()
    apart: dict[str, float] = {}
    with torch.inference_mode():
        carry = trm.start(torch.zeros(len(tokens), trm.state_len(tokens.shape[1])))
        for step in range(1, max(steps) + 1):
            output = trm(tokens, carry, task)
            carry = output.carry
            ours = {"logits": output.logits, "q_halt": output.q_halt, "y": carry.y, "z": carry.z}
            if "labels" in vectors:
                ours["loss"] = answer_loss(output.logits, vectors["labels"].long())
            for name, value in ours.items():
                if (theirs := vectors.get(f"{name}_{step}")) is not None:
                    apart[f"{name}_{step}"] = float((value - theirs).abs().max())
    return apart
