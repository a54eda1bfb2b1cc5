"""What differs between cells: how a question enters, how a state is refined and read."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Body(nn.Module, ABC):
    """The one network of a Tiny Recursive Model, with its input embedding and answer head."""

    @abstractmethod
    def state_len(self, seq_len: int) -> int:
        """L of the carry (B, L, D) for questions of S tokens. Raises: ShapeError."""

    # Task embeddings, one row each; only some puzzles and cells have them.
    tasks: nn.Parameter | None

    def look_up(self, task: Tensor | None) -> Tensor | None:
        """task (B,) int64 -> their embeddings (B, E); None where there are none.

        Apart from `embed`, so that training gets the gradient of these rows, not of a whole table.
        Raises: ShapeError if tasks have embeddings and none is named.
        """
        if self.tasks is None:
            return None
        if task is None:
            raise ShapeError("this model has task embeddings: pass task (B,)")
        return self.tasks[task]

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
