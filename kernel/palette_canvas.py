"""Where a palette's pairs and their neighbours lie in a canvas with a border of zeros."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from kernel.function import Body
from kernel.job import Field
from kernel.values import I64, Value

# Down and right, in the order of `model.palette`'s weights; the middle is a pair's own.
NEIGHBOURS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))


@final
class Canvas:
    """(C + 2, C + 2, N) places around (C, C, N) pairs; sizes are loaded where it is made."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.side, self._symbols = body.size(Field.side), body.size(Field.symbols)
        self.pairs_of_row = body.builder.mul(self.side, self._symbols)
        border = body.builder.mul(self._symbols, I64(2))
        self._pitch = body.builder.add(self.pairs_of_row, border)

    def place(self, row: Value) -> Value:
        """Of the first pair of a row."""
        below = self._body.builder.mul(self._body.builder.add(row, I64(1)), self._pitch)
        return self._body.builder.add(below, self._symbols)

    @contextmanager
    def each_pair(self) -> Iterator[tuple[Value, Value]]:
        """A loop over all pairs: the pair and its place."""
        builder, code = self._body.builder, self._body.code
        with code.loop(self.side) as row:
            pair, place = builder.mul(row, self.pairs_of_row), self.place(row)
            with code.loop(self.pairs_of_row) as index:
                yield builder.add(pair, index), builder.add(place, index)

    def beside(self, place: Value, neighbour: tuple[int, int], direction: int = 1) -> Value:
        """The place of a neighbour; direction -1: of whom one is that neighbour."""
        builder, (down, right) = self._body.builder, neighbour
        along = builder.mul(self._pitch, I64(direction * down))
        across = builder.mul(self._symbols, I64(direction * right))
        return builder.add(place, builder.add(along, across))

    def weigh(self, field: Field, around: Value, place: Value, direction: int) -> list[Value]:
        """What lies there + all around it by its weights, (9, D) at `around`; D numbers."""
        body, code, base = self._body, self._body.code, self._body.address(field)
        totals = [body.load_state(base, place, j) for j in range(body.layout.vectors)]
        for i, neighbour in enumerate(NEIGHBOURS):
            there = self.beside(place, neighbour, direction)
            for j, total in enumerate(totals):
                weight = body.load_state(around, I64(i), j)
                totals[j] = code.multiply_add(weight, body.load_state(base, there, j), total)
        return totals
