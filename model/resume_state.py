"""A training run's state as JSON and named arrays: dicts, lists, tuples, tensors, plain values.

Nothing in it can be code, unlike in a pickle, and numbers come back bit for bit.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def pack(state: Any, name: str = "state") -> tuple[Any, dict[str, Tensor]]:
    """What JSON can hold of a state, and its tensors by the names that stand in their places.

    Raises: TypeError naming what is neither a tensor nor plain.
    """
    arrays: dict[str, Tensor] = {}

    def packed(value: Any, at: str) -> Any:
        if isinstance(value, Tensor):
            # A copy: views of one memory are no arrays of their own in a file.
            copied = value.detach().cpu().clone(memory_format=torch.contiguous_format)
            arrays[at] = copied
            return {"tensor": at}
        if isinstance(value, dict):
            return {"dict": [[key, packed(part, f"{at}/{key}")] for key, part in value.items()]}
        if isinstance(value, list | tuple):
            parts = [packed(part, f"{at}/{i}") for i, part in enumerate(value)]
            return {"tuple": parts} if isinstance(value, tuple) else parts
        if value is None or isinstance(value, str | int | float):
            return value
        raise TypeError(f"{at}: a {type(value).__name__} cannot be saved")

    return packed(state, name), arrays


def unpack(tree: Any, arrays: Mapping[str, Tensor]) -> Any:
    """Inverse of `pack`. Raises: KeyError, TypeError or ValueError for what `pack` never makes."""
    if isinstance(tree, list):
        return [unpack(part, arrays) for part in tree]
    if not isinstance(tree, dict):
        return tree
    [(kind, content)] = tree.items()
    if kind == "tensor":
        return arrays[content]
    if kind == "dict":
        return {key: unpack(part, arrays) for key, part in content}
    if kind == "tuple":
        return tuple(unpack(part, arrays) for part in content)
    raise ValueError(f"{kind!r} is neither dict, tuple nor tensor")
