"""The code of looking at units: each cell's softmax over a unit's cells, and its gradient.

A cell's query, key and value are the numbers of all its pairs, side by side (`pieces_code`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import final

from kernel.function import Body
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.values import F32, I64, Value

QUERY, KEY, VALUE = range(3)  # planes
KINDS = ROW, COLUMN, BOX = range(3)  # planes of what is seen
USUAL_SYMBOLS, MOST_AT_ONCE = 9, 9  # symbols of the usual puzzle; vectors that registers hold
NEVER = -1e30  # what stands behind the products of a unit's cells: a weight of next to 0


@final
class _Units:
    """What loops over units need; sizes are loaded where it is made."""

    def __init__(self, body: Body) -> None:
        code = body.code
        self.body, self.code = body, code
        self.cells = body.size(Field.symbols)  # of a unit; and as many units of each kind
        self._plane, self._look = body.size(Field.plane_bytes), body.size(Field.look_bytes)
        size = I64(body.layout.vector_bytes)
        self._vectors_of_cell = body.builder.sdiv(body.size(Field.cell_bytes), size)
        # Of the usual puzzle all of a cell's, taken at once.
        self._block = min(MOST_AT_ONCE, -(-USUAL_SYMBOLS * body.layout.unit_key // code.isa.lanes))
        self._look_vectors = body.builder.sdiv(self._look, size)
        self._unit_cells = body.address(Field.unit_cells)
        self.scale = body.code.load(F32, body.address(Field.unit_scale))

    @property
    def count(self) -> Value:
        """Rows, columns and boxes."""
        return self.body.builder.mul(self.cells, I64(3))

    def plane(self, field: Field, index: int | Value) -> Value:
        offset = self.body.builder.mul(self._plane, I64(index) if isinstance(index, int) else index)
        return self.code.at(self.body.address(field), offset, 1)

    def kind(self, unit: Value) -> Value:
        """0 of a row, 1 of a column, 2 of a box."""
        return self.body.builder.sdiv(unit, self.cells)

    def cell(self, unit: Value, index: Value) -> Value:
        """Where the numbers of a unit's cell begin in a plane."""
        first = self.body.builder.mul(unit, self.cells)
        cells = self.code.at(self._unit_cells, first, 4)
        return self.code.wide(self.code.at(cells, index, 4))

    def looks(self, unit: Value, index: Value) -> Value:
        """The weights of a unit's cell."""
        number = self.body.builder.add(self.body.builder.mul(unit, self.cells), index)
        return self.row(self.body.address(Field.looks), number)

    def row(self, base: Value, index: Value) -> Value:
        """Weights, or products, of one cell."""
        return self.code.at(base, self.body.builder.mul(self._look, index), 1)

    def number(self, row: Value, index: Value) -> Value:
        """One weight, in every lane."""
        return self.code.spread(self.code.load(F32, self.code.at(row, index, FLOAT)))

    def products(self, row: Value, unit: Value, one: Value, other: Value, behind: float) -> None:
        """row = the numbers of a cell at `one` times other's of each of the unit's cells."""
        code, size = self.code, self.body.layout.vector_bytes
        with code.loop(self._look_vectors) as index:
            code.store(code.constant(behind), code.at(row, index, size))
        with code.loop(self.cells) as j:
            code.store(F32(0.0), code.at(row, j, FLOAT))
        for first, block in self.blocks():
            own = [code.load(code.vector, at) for at in self._vectors(one, first, block)]
            with code.loop(self.cells) as j:
                there = code.at(other, self.cell(unit, j), 1)
                total = code.constant(0.0)
                for number, at in zip(own, self._vectors(there, first, block), strict=True):
                    total = code.multiply_add(number, code.load(code.vector, at), total)
                product = code.at(row, j, FLOAT)
                code.store(code.add(code.load(F32, product), code.total(total)), product)

    def weigh(self, unit: Value, plane: Value, weight: Callable[[Value], Value], to: Value) -> None:
        """A cell's numbers at `to` += those of a unit's cells in a plane, each by its weight."""
        code = self.code
        for first, block in self.blocks():
            places = self._vectors(to, first, block)

            def more(
                j: Value, totals: Sequence[Value], first: Value = first, block: int = block
            ) -> list[Value]:
                there = code.at(plane, self.cell(unit, j), 1)
                vectors = self._vectors(there, first, block)
                share = weight(j)
                return [
                    code.multiply_add(share, code.load(code.vector, at), total)
                    for at, total in zip(vectors, totals, strict=True)
                ]

            before = [code.load(code.vector, at) for at in places]
            for at, total in zip(places, code.sum_loop(self.cells, 1, before, more), strict=True):
                code.store(total, at)

    def blocks(self) -> Iterator[tuple[Value, int]]:
        """A cell's vectors: the first of some, and how many; a loop's body for each number."""
        begin: Value = I64(0)
        for block in (self._block, 1):
            with self.code.loop(self._vectors_of_cell, step=block, start=begin) as first:
                yield first, block
            begin = first

    def _vectors(self, cell: Value, first: Value, count: int) -> list[Value]:
        """The addresses of some vectors of a cell's numbers."""
        size = self.body.layout.vector_bytes
        begin = self.code.at(cell, first, size)
        return [self.code.at(begin, i, size) for i in range(count)]

    def clear(self, field: Field, planes: int) -> None:
        """Planes of zeros."""
        size = self.body.layout.vector_bytes
        whole = self.body.builder.mul(self._plane, I64(planes))
        with self.code.loop(self.body.builder.sdiv(whole, I64(size))) as index:
            at = self.code.at(self.body.address(field), index, size)
            self.code.store(self.code.constant(0.0), at)

    def softmax(self, row: Value) -> None:
        """Products -> weights, in place."""
        code = self.code

        def at(index: Value) -> Value:
            return code.at(row, index, self.body.layout.vector_bytes)

        def larger(m: Value, found: Sequence[Value]) -> list[Value]:
            return [code.larger(found[0], code.load(code.vector, at(m)))]

        (largest,) = code.sum_loop(self._look_vectors, 1, [code.constant(NEVER)], larger)
        largest, scale = code.spread(code.largest(largest)), code.spread(self.scale)

        def exponential(m: Value, totals: Sequence[Value]) -> list[Value]:
            above = code.subtract(code.load(code.vector, at(m)), largest)
            power = code.exponential(code.multiply(above, scale))
            code.store(power, at(m))
            return [code.add(totals[0], power)]

        (total,) = code.sum_loop(self._look_vectors, 1, [code.constant(0.0)], exponential)
        share = code.spread(code.divide(F32(1.0), code.total(total)))
        with code.loop(self._look_vectors) as m:
            code.store(code.multiply(code.load(code.vector, at(m)), share), at(m))

    def softmax_back(self, weights: Value, row: Value) -> None:
        """The gradient of weights -> that of products, in place."""
        code, size = self.code, self.body.layout.vector_bytes

        def pair(m: Value) -> tuple[Value, Value]:
            at_weight, at_product = (code.at(base, m, size) for base in (weights, row))
            return code.load(code.vector, at_weight), code.load(code.vector, at_product)

        def more(m: Value, totals: Sequence[Value]) -> list[Value]:
            return [code.multiply_add(*pair(m), totals[0])]

        (total,) = code.sum_loop(self._look_vectors, 1, [code.constant(0.0)], more)
        mean, scale = code.spread(code.total(total)), code.spread(self.scale)
        with code.loop(self._look_vectors) as m:
            weight, d = pair(m)
            d = code.multiply(code.multiply(weight, code.subtract(d, mean)), scale)
            code.store(d, code.at(row, m, size))


def look(body: Body) -> None:
    """looks = softmax of queries · keys; looked = what they weigh of the values."""
    code, units = body.code, _Units(body)
    query, key, value = (units.plane(Field.qkv, plane) for plane in (QUERY, KEY, VALUE))
    units.clear(Field.looked, len(KINDS))
    with code.loop(units.count) as unit:
        looked = units.plane(Field.looked, units.kind(unit))
        with code.loop(units.cells) as i:
            own, row = units.cell(unit, i), units.looks(unit, i)
            units.products(row, unit, code.at(query, own, 1), key, NEVER)
            units.softmax(row)
            units.weigh(unit, value, partial(units.number, row), code.at(looked, own, 1))


def look_back(body: Body) -> None:
    """d_qkv, from the gradient of what was seen."""
    code, units = body.code, _Units(body)
    query, key, value = (units.plane(Field.qkv, plane) for plane in (QUERY, KEY, VALUE))
    d_query, d_key, d_value = (units.plane(Field.d_qkv, plane) for plane in (QUERY, KEY, VALUE))
    d_rows = body.address(Field.d_looks)
    units.clear(Field.d_qkv, 3)
    with code.loop(units.count) as unit:
        d_looked = units.plane(Field.d_looked, units.kind(unit))
        with code.loop(units.cells) as i:
            own, d_row = units.cell(unit, i), units.row(d_rows, i)
            units.products(d_row, unit, code.at(d_looked, own, 1), value, 0.0)
            units.softmax_back(units.looks(unit, i), d_row)
            units.weigh(unit, key, partial(units.number, d_row), code.at(d_query, own, 1))
        with code.loop(units.cells) as j:
            own = units.cell(unit, j)

            def of_product(i: Value, j: Value = j) -> Value:
                return units.number(units.row(d_rows, i), j)

            def of_weight(i: Value, j: Value = j, unit: Value = unit) -> Value:
                return units.number(units.looks(unit, i), j)

            units.weigh(unit, query, of_product, code.at(d_key, own, 1))
            units.weigh(unit, d_looked, of_weight, code.at(d_value, own, 1))
