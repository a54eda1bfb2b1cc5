"""What the code of a refinement leaves to the cell: `refine_code` and its gradient ask it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from kernel.code import Code
from kernel.function import Body
from kernel.job import Field
from kernel.values import Value


class CellCode(ABC):
    """Writes the parts in which cells differ."""

    @property
    @abstractmethod
    def kept(self) -> Mapping[Field, Field]:
        """What a refinement keeps for its gradient, and where in a slot of the tape it begins."""

    @abstractmethod
    def role(self, body: Body, symbol: Value, own: Value) -> Value:
        """The role, int32, of the pair of symbol `own` where a cell holds `symbol`.

        symbol: below 0 where it holds none.
        """

    @abstractmethod
    def asked(self, body: Body, pair: Value, vector: int, of_role: Value) -> Value:
        """One vector of x: `of_role`, with what this row says of a pair."""

    @abstractmethod
    def ask_back(self, body: Body, pair: Value, vector: int, d: Value) -> None:
        """Hand the gradient of what the row says of a pair out."""

    @abstractmethod
    def write_gather(self, body: Body) -> None:
        """h, as numbers and as factors, of first argument + second, and its groups' sums.

        arguments: two states (P, D), a block's weights. Sums as factors, scaled.
        """

    @abstractmethod
    def with_groups(self, code: Code, own: Value, groups: list[Value]) -> Value:
        """A pair's own projections + those of its groups; groups: addresses of one vector each."""

    @abstractmethod
    def to_groups(self, body: Body, groups: list[Value], column: int, d: Value) -> None:
        """Add the gradient of `with_groups` to those of the four groups."""

    @abstractmethod
    def write_gather_back(self, body: Body) -> None:
        """d_out: from the gradient of h by itself to that of what was gathered.

        arguments: a block's weights, its gradients. The groups' part is in `d_sums`.
        """
