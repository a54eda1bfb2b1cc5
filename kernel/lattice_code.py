"""The code in which a lattice differs from other cells: `model.lattice`, a few pairs at a time."""

from collections.abc import Mapping

from kernel.cell_code import CellCode
from kernel.code import Code
from kernel.function import Body
from kernel.group_code import (
    add_to_d_groups,
    add_to_sums,
    clear_sums,
    mixed_at,
    scatter_sums,
    store_sums,
)
from kernel.job import Field
from kernel.tape_code import KEPT
from kernel.values import I32, I64, Value


class LatticeCode(CellCode):
    """Pairs hear their cell, their box, and the larger of their row and their column."""

    @property
    def kept(self) -> Mapping[Field, Field]:
        return {**KEPT, Field.mixed: Field.at_mixed}

    def role(self, body: Body, symbol: Value, own: Value) -> Value:
        """0: the pair's cell is empty, 1: given as this symbol, 2: given as another."""
        builder = body.builder
        given = builder.icmp_signed(">=", symbol, I64(0))
        same = builder.icmp_signed("==", symbol, own)
        return builder.select(given, builder.select(same, I32(1), I32(2)), I32(0))

    def asked(self, body: Body, pair: Value, vector: int, of_role: Value) -> Value:  # noqa: ARG002
        return of_role

    def ask_back(self, body: Body, pair: Value, vector: int, d: Value) -> None:
        """A lattice says nothing of its pairs."""

    def write_gather(self, body: Body) -> None:
        code, layout, (a, b, _) = body.code, body.layout, body.arguments
        clear_sums(body)
        with code.loop(body.size(Field.pairs)) as pair:
            groups = body.groups_of(pair)
            factors = code.at(body.address(Field.factors), pair, layout.factor_bytes)
            for j in range(layout.vectors):
                h = code.add(body.load_state(a, pair, j), body.load_state(b, pair, j))
                code.store(h, body.state(body.address(Field.h), pair, j))
                code.store_factors(h, code.at(factors, j, layout.vector_factor_bytes))
                add_to_sums(body, groups, j, h)
        store_sums(body)

    def with_groups(self, code: Code, own: Value, groups: list[Value]) -> Value:
        cell, row, column, box = (code.load(code.vector, at) for at in groups)
        return code.add(code.add(own, cell), code.add(box, code.larger(row, column)))

    def to_groups(self, body: Body, groups: list[Value], column: int, d: Value) -> None:
        code = body.code
        cell, row, line, box = groups
        of_row, of_line = (
            code.load(code.vector, mixed_at(body, Field.mixed, group, column))
            for group in (row, line)
        )
        zero = code.constant(0.0)
        by_row = body.builder.fcmp_ordered(">", of_row, of_line)
        add_to_d_groups(body, cell, column, d)
        add_to_d_groups(body, box, column, d)
        add_to_d_groups(body, row, column, body.builder.select(by_row, d, zero))
        add_to_d_groups(body, line, column, body.builder.select(by_row, zero, d))

    def write_gather_back(self, body: Body) -> None:
        scatter_sums(body)
