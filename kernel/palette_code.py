"""The code in which a palette differs from other cells: `model.palette`, and its gradient.

Pairs lie as (row, column, symbol); what is gathered lies in the middle of a canvas two cells wider
and higher, whose border stays 0, so that every pair has eight cells around it.
"""

from collections.abc import Mapping, Sequence
from typing import final

from kernel.cell_code import CellCode
from kernel.code import Code
from kernel.function import Body
from kernel.group_code import add_to_d_groups, clear_sums, scatter_sums, store_sums
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.outer_code import kept_factors
from kernel.palette_canvas import NEIGHBOURS, Canvas
from kernel.rays_code import look_along, look_along_back
from kernel.refine_back_code import norm_back
from kernel.refine_code import hear
from kernel.row_code import pairs_of
from kernel.tape_code import KEPT
from kernel.values import I32, I64, Value


@final
class PaletteCode(CellCode):
    """Pairs hear their cell, row, column and canvas, and what lies along four rays."""

    @property
    def kept(self) -> Mapping[Field, Field]:
        return {
            **KEPT,
            Field.before: Field.at_before,
            Field.before_norms: Field.at_before_norms,
        }

    def role(self, body: Body, symbol: Value, own: Value) -> Value:
        """0: the pair's cell is a pad, 1: holds this symbol, 2: another colour, 3: the end mark."""
        builder = body.builder
        held = builder.icmp_signed(">=", symbol, I64(0))
        same = builder.icmp_signed("==", symbol, own)
        ends = builder.icmp_signed("==", symbol, I64(0))
        other = builder.select(ends, I32(3), I32(2))
        return builder.select(held, builder.select(same, I32(1), other), I32(0))

    def asked(self, body: Body, pair: Value, vector: int, of_role: Value) -> Value:
        told = _of_row(body, Field.told)
        return body.code.add(of_role, body.load_state(told, pair, vector))

    def ask_back(self, body: Body, pair: Value, vector: int, d: Value) -> None:
        body.code.store(d, body.state(_of_row(body, Field.d_told), pair, vector))

    def write_gather(self, body: Body) -> None:
        """h = norm(gathered + look around); its rays behind it."""
        a, b, weights = body.arguments
        around = body.code.at(weights, body.layout.around_at, 1)
        _keep_before(body, a, b)
        clear_sums(body)
        _look_around(body, around)
        store_sums(body)
        look_along(body)

    def with_groups(self, code: Code, own: Value, groups: list[Value]) -> Value:
        for at in groups:
            own = code.add(own, code.load(code.vector, at))
        return own

    def to_groups(self, body: Body, groups: list[Value], column: int, d: Value) -> None:
        for group in groups:
            add_to_d_groups(body, group, column, d)

    def write_gather_back(self, body: Body) -> None:
        weights, gradients = body.arguments
        scatter_sums(body)
        look_along_back(body)
        _through_norm(body)
        _around_gradients(body, body.code.at(gradients, body.layout.around_floats_at, FLOAT))
        _look_around_back(body, body.code.at(weights, body.layout.around_at, 1))


def _of_row(body: Body, field: Field) -> Value:
    """Where a row's (P, D) numbers begin."""
    return pairs_of(body, field, body.size(Field.row), body.layout.state_bytes)


def _keep_before(body: Body, a: Value, b: Value) -> None:
    code, before = body.code, body.address(Field.before)
    with Canvas(body).each_pair() as (pair, place):
        for j in range(body.layout.vectors):
            gathered = code.add(body.load_state(a, pair, j), body.load_state(b, pair, j))
            code.store(gathered, body.state(before, place, j))


def _look_around(body: Body, around: Value) -> None:
    canvas = Canvas(body)
    with canvas.each_pair() as (pair, place):
        hear(body, pair, canvas.weigh(Field.before, around, place, direction=1))


def _through_norm(body: Body) -> None:
    """d_seen: the gradient of what was normed to h."""
    code, d_seen = body.code, body.address(Field.d_seen)
    with Canvas(body).each_pair() as (pair, place):
        h = kept_factors(body, Field.factors, pair, body.layout.parts)[: body.layout.vectors]
        for j, vector in enumerate(norm_back(body, pair, Field.before_norms, h)):
            code.store(vector, body.state(d_seen, place, j))


def _look_around_back(body: Body, around: Value) -> None:
    canvas, d_out = Canvas(body), body.address(Field.d_out)
    with canvas.each_pair() as (pair, place):
        for j, vector in enumerate(canvas.weigh(Field.d_seen, around, place, direction=-1)):
            body.code.store(vector, body.state(d_out, pair, j))


def _around_gradients(body: Body, gradients: Value) -> None:
    """Of each neighbour's weights: the sum over pairs of d_seen · what lay there."""
    code, canvas = body.code, Canvas(body)
    d_seen, before = body.address(Field.d_seen), body.address(Field.before)
    with code.loop(canvas.side) as row:
        first = canvas.place(row)
        for j in range(body.layout.vectors):
            places = [body.state(gradients, I64(i), j) for i in range(len(NEIGHBOURS))]

            def more(
                index: Value, totals: Sequence[Value], j: int = j, first: Value = first
            ) -> list[Value]:
                here = body.builder.add(first, index)
                d = body.load_state(d_seen, here, j)
                there = [canvas.beside(here, neighbour) for neighbour in NEIGHBOURS]
                return [
                    code.multiply_add(d, body.load_state(before, at, j), total)
                    for at, total in zip(there, totals, strict=True)
                ]

            before_row = [code.load(code.vector, place) for place in places]
            after_row = code.sum_loop(canvas.pairs_of_row, 1, before_row, more)
            for place, total in zip(places, after_row, strict=True):
                code.store(total, place)
