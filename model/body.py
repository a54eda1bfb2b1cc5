"""What differs between cells: how a question enters, how a state is refined and read."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from model.config import ModelConfig


class Body(nn.Module, ABC):
    """The one network of a Tiny Recursive Model, with its input embedding and answer head."""

    @abstractmethod
    def state_len(self, seq_len: int) -> int:
        """L of the carry (B, L, D) for questions of S tokens. Raises: ShapeError."""

    def __init__(self, config: ModelConfig, task_size: int) -> None:
        """task_size: E, numbers of a task embedding."""
        super().__init__()
        rows, variants = config.table_rows, config.task_variants
        self.tasks = nn.Parameter(torch.zeros(rows, task_size)) if rows else None
        own_row = config.task_rows == "variant"
        self.variants = (
            None if own_row or not rows else nn.Parameter(torch.zeros(variants, task_size))
        )
        self._variants_of_a_row = 1 if own_row else variants

    def table_row(self, task: Tensor) -> Tensor:
        """task (B,) int64, variants counted through -> the row of the task table, (B,)."""
        return task // self._variants_of_a_row

    def look_up(self, task: Tensor | None, rows: Tensor | None = None) -> Tensor | None:
        """task (B,) int64 -> their embeddings (B, E); None where there are none.

        rows: what to take in place of the rows `table_row(task)` of the table: training wants the
        gradient of these, not of a whole table.
        Raises: ShapeError if tasks have embeddings and none is named.
        """
        if self.tasks is None:
            return None
        if task is None:
            raise ShapeError("this model has task embeddings: pass task (B,)")
        found = self.tasks[self.table_row(task)] if rows is None else rows
        return found if self.variants is None else found + self.variants[task % len(self.variants)]

    @abstractmethod
    def embed(self, tokens: Tensor, task_rows: Tensor | None) -> Tensor:
        """tokens (B, S) int, task_rows (B, E) of `look_up` -> x (B, L, D) float32."""

    @abstractmethod
    def refine(self, h: Tensor, seq_len: int) -> Tensor:
        """Run the blocks once: (B, L, D) -> (B, L, D)."""

    @abstractmethod
    def read_answer(self, y: Tensor, seq_len: int) -> Tensor:
        """y (B, L, D) -> answer logits (B, S, V) in y's dtype."""

    @abstractmethod
    def read_halt(self, y: Tensor) -> Tensor:
        """y (B, L, D) -> the vector the halt head looks at, (B, D)."""


class ShapeError(ValueError):
    """Tensors or sizes that do not belong together; the message gives both."""
