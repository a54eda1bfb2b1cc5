"""How many threads PyTorch gets beside compiled steps."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(*, uses_kernel: bool) -> Iterator[None]:
    """One while compiled steps use the cores: PyTorch's others would spin on them."""
    before = torch.get_num_threads()
    if uses_kernel:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
