"""The code of pieces: a pair's K numbers, beside those of the other pairs of its cell."""

from dataclasses import replace
from typing import final

from llvmlite import ir

from kernel.code import Code
from kernel.function import Body
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.values import I32, Value


@final
class Pieces:
    """Planes (S, C') of a pair's numbers: one of queries, one of keys, one of values, and so on.

    A piece is a vector, or the part of one that K numbers are.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self.code = Code(body.builder, replace(body.code.isa, lanes=body.layout.piece))
        self.of_plane = body.layout.unit_key // body.layout.piece  # pieces of a pair

    def at(self, field: Field, pair: Value, index: int) -> Value:
        """The address of a pair's piece; indices count through the planes."""
        body = self._body
        plane, piece = divmod(index, self.of_plane)
        offset = body.builder.mul(body.size(Field.plane_bytes), body.code.number(plane))
        base = body.code.at(body.address(field), offset, 1)
        of_pair = body.code.wide(body.code.at(body.address(Field.piece_at), pair, 4))
        return body.code.at(body.code.at(base, of_pair, 1), piece * body.layout.piece, FLOAT)

    def load(self, field: Field, pair: Value, index: int) -> Value:
        return self.code.load(self.code.vector, self.at(field, pair, index))

    def store(self, piece: Value, field: Field, pair: Value, index: int) -> None:
        self.code.store(piece, self.at(field, pair, index))

    def cut(self, vectors: list[Value], count: int) -> list[Value]:
        """The first `count` pieces of vectors."""
        lanes, size = self._body.code.isa.lanes, self._body.layout.piece
        if size == lanes:
            return vectors[:count]
        found = []
        for index in range(count):
            vector, first = divmod(index * size, lanes)
            found.append(self._shuffle(vectors[vector], vectors[vector], first, size))
        return found

    def join(self, pieces: list[Value]) -> list[Value]:
        """Whole vectors of pieces, and zeros behind them."""
        together = self._body.code.isa.lanes // self._body.layout.piece
        zero = self.code.constant(0.0)
        vectors = []
        for first in range(0, len(pieces), together):
            parts = pieces[first : first + together]
            parts += [zero] * (together - len(parts))
            while len(parts) > 1:
                size = 2 * parts[0].type.count
                parts = [
                    self._shuffle(one, other, 0, size)
                    for one, other in zip(parts[::2], parts[1::2], strict=True)
                ]
            vectors += parts
        return vectors

    def _shuffle(self, one: Value, other: Value, first: int, size: int) -> Value:
        places = [I32(first + lane) for lane in range(size)]
        mask = ir.Constant(ir.VectorType(I32, size), places)
        return self._body.builder.shuffle_vector(one, other, mask)
