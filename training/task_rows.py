"""Updates of task embeddings: only the rows that a batch touched move.

A table may have a million rows of which a batch knows a few hundred; gradients, moments and decay
of all others would be wasted, and would move what was not asked.
"""

from typing import Any, final

import torch
from torch import Tensor

from training.recipe import TaskTraining


@final
class TaskRows:
    """The optimizer of a task table (T, E).

    sign_sgd: the sign of the summed gradient, as the reference; adam: each row has moments and a
    count of its own.
    """

    def __init__(self, table: Tensor, config: TaskTraining) -> None:
        self._table = table
        self._config = config
        self._counts = torch.zeros(len(table), 1, device=table.device)
        has_moments = config.optimizer == "adam"
        shape = table.shape if has_moments else (0, table.shape[1])
        self._mean = torch.zeros(shape, device=table.device)
        self._square = torch.zeros(shape, device=table.device)

    @torch.no_grad()
    def step(self, rows: Tensor, gradient: Tensor, share: float) -> None:
        """Update with `share` of the rate. rows: (B,) int64, some twice; gradient: (B, E).

        Works without asking the device how many rows differ: a row named twice is written twice,
        with the same value.
        """
        lr, decay = share * self._config.lr, self._config.weight_decay
        same = (rows.unsqueeze(1) == rows).to(gradient.dtype)  # (B, B)
        summed = same @ gradient.float()
        before = self._table[rows]
        update = self._adam(rows, summed) if self._config.optimizer == "adam" else summed.sign()
        self._table[rows] = before * (1 - lr * decay) - lr * update

    def _adam(self, rows: Tensor, gradient: Tensor) -> Tensor:
        beta1, beta2 = self._config.betas
        count = self._counts[rows] + 1
        mean = self._mean[rows].lerp(gradient, 1 - beta1)
        square = self._square[rows].lerp(gradient.square(), 1 - beta2)
        self._counts[rows], self._mean[rows], self._square[rows] = count, mean, square
        root = (square / (1 - beta2**count)).sqrt() + 1e-8
        return mean / (1 - beta1**count) / root

    def state_dict(self) -> dict[str, Any]:
        """All that the next update depends on, apart from the table."""
        return {"counts": self._counts, "mean": self._mean, "square": self._square}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`. Raises: RuntimeError for another table's state."""
        self._counts.copy_(state["counts"])
        self._mean.copy_(state["mean"])
        self._square.copy_(state["square"])
