"""The weights that a step depends on; a lattice's in a file that needs no torch to be read."""

import zipfile
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self, final

import numpy as np
import numpy.typing as npt

from kernel.layout import CellName, FloatArray, Network

MATRICES: Mapping[CellName, tuple[str, ...]] = {  # of a block, in the order of their use
    "lattice": ("own", "cell", "line", "box", "out"),
    "palette": ("own", "rays", "cell", "row", "column", "canvas", "out"),
}
BLOCK_ARRAYS = MATRICES["lattice"]
MODEL_ARRAYS = ("roles", "starts", "answer", "halt", "halt_bias")
STARTS = ("y_start", "z_start", "y_noise", "z_noise")
RECURSIONS = "recursions"
KERNEL_FILE = "kernel-weights.npz"  # a lattice's weights in a bundle
ATTENTION = ("qkv", "out")  # of attention inside units, where a block has it


class WeightsError(Exception):
    """A weights file that is missing, damaged or incomplete."""


def block_name(block: int, array: str) -> str:
    """Of a block's matrix in a model's `state_dict`."""
    return f"body.blocks.{block}.{array}.weight"


def attention_name(block: int, array: str) -> str:
    """Of a matrix of a block's attention in a model's `state_dict`."""
    return block_name(block, f"attention.{array}")


def _of_attention(block: int) -> list[str]:
    """What a file calls the matrices of a block's attention."""
    return [f"block{block}.attention.{array}" for array in ATTENTION]


def around_name(block: int) -> str:
    """Of the weights of a block's neighbours in a model's `state_dict`."""
    return f"body.blocks.{block}.around"


@dataclass(frozen=True)
class Weights(ABC):
    """Everything of a model that its step depends on, float32.

    blocks: per block its matrices, as `MATRICES` names them: (2 W, D) each, and out (D, W);
    around: per block the weights of neighbours, (9, D), or (0, D) where none is heard;
    attention: per block (3 K, D) and (D, 2 K) of attention inside units, or nothing;
    roles: (roles, D); starts: (4, D), y_start, z_start, y_noise, z_noise; answer: (D,);
    halt: (D,); halt_bias: (1,).
    """

    cell: ClassVar[CellName]

    blocks: tuple[tuple[FloatArray, ...], ...]
    around: tuple[FloatArray, ...]
    roles: FloatArray
    starts: FloatArray
    answer: FloatArray
    halt: FloatArray
    halt_bias: FloatArray
    latent_recursions: int
    deep_recursions: int
    attention: tuple[tuple[FloatArray, ...], ...]

    @classmethod
    def of_state(
        cls, state: Mapping[str, FloatArray], *, latent_recursions: int, deep_recursions: int
    ) -> Self:
        """From a model's state, named as in its `state_dict`. Raises: KeyError for other models."""
        own = (name.startswith("body.blocks.") and name.endswith(".own.weight") for name in state)
        blocks = range(sum(own))
        names, size = MATRICES[cls.cell], len(state["y_start"])
        nothing = np.empty((0, size), np.float32)
        return cls(
            blocks=tuple(
                tuple(state[block_name(block, name)] for name in names) for block in blocks
            ),
            around=tuple(
                state.get(around_name(block), nothing).reshape(-1, size) for block in blocks
            ),
            attention=tuple(
                tuple(
                    state[name]
                    for name in (attention_name(block, array) for array in ATTENTION)
                    if name in state
                )
                for block in blocks
            ),
            roles=state["body.roles"],
            starts=np.stack([state[name] for name in STARTS]),
            answer=state["body.answer.weight"].reshape(-1),
            halt=state["halt.weight"].reshape(-1),
            halt_bias=state["halt_bias"],
            latent_recursions=latent_recursions,
            deep_recursions=deep_recursions,
        )

    def state(self) -> dict[str, FloatArray]:
        """What `of_state` was given, of a lattice."""
        named = dict(zip(STARTS, self.starts, strict=True))
        for i, (block, attention) in enumerate(zip(self.blocks, self.attention, strict=True)):
            names = (block_name(i, array) for array in MATRICES[self.cell])
            named |= dict(zip(names, block, strict=True))
            if attention:
                names = (attention_name(i, array) for array in ATTENTION)
                named |= dict(zip(names, attention, strict=True))
        return named | {
            "body.roles": self.roles,
            "body.answer.weight": self.answer.reshape(1, -1),
            "halt.weight": self.halt.reshape(1, -1),
            "halt_bias": self.halt_bias,
        }

    @property
    def network(self) -> Network:
        """The sizes."""
        size, width = self.blocks[0][-1].shape
        latent, deep = self.latent_recursions, self.deep_recursions
        key = self.attention[0][0].shape[0] // 3 if self.attention[0] else 0
        return Network(self.cell, size, width, len(self.blocks), latent, deep, key)


@final
class PaletteWeights(Weights):
    """A palette's; what tells its symbols apart is told with each row of a step."""

    cell = "palette"


@final
class LatticeWeights(Weights):
    """A lattice's, which may lie in a file."""

    cell = "lattice"

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            name: getattr(self, name) for name in MODEL_ARRAYS
        }
        for i, block in enumerate(self.blocks):
            names = (f"block{i}.{name}" for name in BLOCK_ARRAYS)
            arrays |= dict(zip(names, block, strict=True))
            if self.attention[i]:
                arrays |= dict(zip(_of_attention(i), self.attention[i], strict=True))
        arrays[RECURSIONS] = np.array([self.latent_recursions, self.deep_recursions])
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "LatticeWeights":
        """Read what `save` wrote. Raises: WeightsError."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            latent, deep = arrays.pop(RECURSIONS).tolist()
            any_attention = _of_attention(0)[0] in arrays
            count = sum(name.endswith(f".{BLOCK_ARRAYS[0]}") for name in arrays)
            blocks = tuple(
                tuple(arrays.pop(f"block{i}.{name}") for name in BLOCK_ARRAYS) for i in range(count)
            )
            attention = tuple(
                tuple(arrays.pop(name) for name in _of_attention(i) if any_attention)
                for i in range(count)
            )
            weights = cls(
                blocks=blocks,
                around=tuple(np.empty((0, block[-1].shape[0]), np.float32) for block in blocks),
                attention=attention,
                latent_recursions=latent,
                deep_recursions=deep,
                **arrays,
            )
            weights._check()
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise WeightsError(f"{path}: no weights of a lattice: {error}") from error
        return weights

    def _check(self) -> None:
        """Raises: ValueError naming the first array that does not fit the others."""
        if not self.blocks:
            raise ValueError("no block")
        size, width = self.blocks[0][-1].shape
        projections = [(2 * width, size)] * (len(BLOCK_ARRAYS) - 1)
        expected = {
            f"block{i}.{name}": (array, shape)
            for i, block in enumerate(self.blocks)
            for name, array, shape in zip(
                BLOCK_ARRAYS, block, (*projections, (size, width)), strict=True
            )
        }
        key = self.network.unit_key
        for i, block in enumerate(self.attention):
            shapes_of = ((3 * key, size), (size, 2 * key)) if block else ()
            named = zip(_of_attention(i), block, shapes_of, strict=bool(block))
            expected |= {name: (array, shape) for name, array, shape in named}
        shapes = ((3, size), (4, size), (size,), (size,), (1,))
        for name, shape in zip(MODEL_ARRAYS, shapes, strict=True):
            expected[name] = (getattr(self, name), shape)
        for name, (array, shape) in expected.items():
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {shape}")
