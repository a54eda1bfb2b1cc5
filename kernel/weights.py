"""A lattice's weights in a file that needs no torch to be read."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import numpy.typing as npt

from kernel.layout import FloatArray, Network

BLOCK_ARRAYS = ("own", "cell", "line", "box", "out")
MODEL_ARRAYS = ("roles", "starts", "answer", "halt", "halt_bias")
STARTS = ("y_start", "z_start", "y_noise", "z_noise")
RECURSIONS = "recursions"


class WeightsError(Exception):
    """A weights file that is missing, damaged or incomplete."""


def block_name(block: int, array: str) -> str:
    """Of a block's weight in a model's `state_dict`."""
    return f"body.blocks.{block}.{array}.weight"


@final
@dataclass(frozen=True)
class LatticeWeights:
    """Everything of a lattice model that its step depends on, float32.

    blocks: per block own, cell, line, box (2 W, D) and out (D, W); roles: (3, D); starts: (4, D),
    y_start, z_start, y_noise, z_noise; answer: (D,); halt: (D,); halt_bias: (1,).
    """

    blocks: tuple[tuple[FloatArray, ...], ...]
    roles: FloatArray
    starts: FloatArray
    answer: FloatArray
    halt: FloatArray
    halt_bias: FloatArray
    latent_recursions: int
    deep_recursions: int

    @classmethod
    def of_state(
        cls, state: Mapping[str, FloatArray], *, latent_recursions: int, deep_recursions: int
    ) -> "LatticeWeights":
        """From a model's state, named as in its `state_dict`. Raises: KeyError for other models."""
        count = sum(
            name.startswith("body.blocks.") and name.endswith(".own.weight") for name in state
        )
        return cls(
            blocks=tuple(
                tuple(state[block_name(block, name)] for name in BLOCK_ARRAYS)
                for block in range(count)
            ),
            roles=state["body.roles"],
            starts=np.stack([state[name] for name in STARTS]),
            answer=state["body.answer.weight"].reshape(-1),
            halt=state["halt.weight"].reshape(-1),
            halt_bias=state["halt_bias"],
            latent_recursions=latent_recursions,
            deep_recursions=deep_recursions,
        )

    @property
    def network(self) -> Network:
        """The sizes."""
        hidden_size, width = self.blocks[0][-1].shape
        return Network(
            hidden_size, width, len(self.blocks), self.latent_recursions, self.deep_recursions
        )

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            name: getattr(self, name) for name in MODEL_ARRAYS
        }
        for i, block in enumerate(self.blocks):
            names = (f"block{i}.{name}" for name in BLOCK_ARRAYS)
            arrays |= dict(zip(names, block, strict=True))
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
            blocks = tuple(
                tuple(arrays.pop(f"block{i}.{name}") for name in BLOCK_ARRAYS)
                for i in range((len(arrays) - len(MODEL_ARRAYS)) // len(BLOCK_ARRAYS))
            )
            weights = cls(blocks=blocks, latent_recursions=latent, deep_recursions=deep, **arrays)
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
        shapes = ((3, size), (4, size), (size,), (size,), (1,))
        for name, shape in zip(MODEL_ARRAYS, shapes, strict=True):
            expected[name] = (getattr(self, name), shape)
        for name, (array, shape) in expected.items():
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {shape}")
