"""The code of a palette's rays: per quarter of D, the largest value before a pair on a line.

A step at a time along the line, all lines side by side: the largest before a pair is the larger of
its predecessor and of what its predecessor saw. Works on factors: rounding keeps their order.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import gcd
from typing import final

from kernel.code import Code
from kernel.function import Body
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.values import I64, Value

RAYS = ((1, 1), (1, -1), (2, 1), (2, -1))  # as `model.palette`: axis and direction of each quarter


def look_along(body: Body) -> None:
    """The rays, as factors behind those of h."""
    for ray in _rays(body):
        with ray.first_pairs() as pair:
            for column in ray.columns:
                ray.code.store_factors(ray.code.constant(0.0), ray.seen_at(pair, column))
        with ray.steps(forward=True) as (pair, before):
            for column in ray.columns:
                seen = ray.code.larger(ray.h(before, column), ray.seen(before, column))
                ray.code.store_factors(seen, ray.seen_at(pair, column))


def look_along_back(body: Body) -> None:
    """d_out += d_rays, each at the pair whose value was seen; d_rays is used up."""
    d_out, d_rays = body.address(Field.d_out), body.address(Field.d_rays)
    for ray in _rays(body):
        code, zero = ray.code, ray.code.constant(0.0)
        with ray.steps(forward=False) as (pair, before):
            for column in ray.columns:
                d = code.load(code.vector, ray.number_at(d_rays, pair, column))
                h, seen = ray.h(before, column), ray.seen(before, column)
                nearer = body.builder.fcmp_ordered(">", h, seen)
                for base, part in (
                    (d_out, body.builder.select(nearer, d, zero)),
                    (d_rays, body.builder.select(nearer, zero, d)),
                ):
                    at = ray.number_at(base, before, column)
                    code.store(code.add(code.load(code.vector, at), part), at)


@final
@dataclass(frozen=True)
class _Ray:
    """columns: the numbers of D at which this quarter's vectors begin."""

    body: Body
    code: Code  # of vectors that a quarter is a multiple of
    columns: range
    outer: Value  # lines lie in so many planes, `plane` pairs apart
    plane: Value
    inner: Value  # lines of a plane side by side, and pairs from a step to the next
    direction: int

    @contextmanager
    def first_pairs(self) -> Iterator[Value]:
        """A loop over the pairs before which nothing lies."""
        side = self.body.size(Field.side)
        step = I64(0) if self.direction > 0 else self.body.builder.sub(side, I64(1))
        with self._lines(step) as pair:
            yield pair

    @contextmanager
    def steps(self, *, forward: bool) -> Iterator[tuple[Value, Value]]:
        """A loop over pairs and their predecessors, along the ray or against it."""
        builder, side = self.body.builder, self.body.size(Field.side)
        last = builder.sub(side, I64(1))
        with self.body.code.loop(last) as index:
            upwards = builder.add(index, I64(1))
            step = upwards if forward else builder.sub(side, upwards)
            step = step if self.direction > 0 else builder.sub(last, step)
            with self._lines(step) as pair:
                back = builder.mul(self.inner, I64(self.direction))
                yield pair, builder.sub(pair, back)

    @contextmanager
    def _lines(self, step: Value) -> Iterator[Value]:
        builder = self.body.builder
        with self.body.code.loop(self.outer) as line:
            plane = builder.mul(line, self.plane)
            first = builder.add(plane, builder.mul(step, self.inner))
            with self.body.code.loop(self.inner) as index:
                yield builder.add(first, index)

    def h(self, pair: Value, column: int) -> Value:
        return self.code.load_factors(self._factors_at(pair, column))

    def seen(self, pair: Value, column: int) -> Value:
        return self.code.load_factors(self.seen_at(pair, column))

    def seen_at(self, pair: Value, column: int) -> Value:
        hidden_size = self.body.layout.state_bytes // FLOAT
        return self._factors_at(pair, hidden_size + column)

    def _factors_at(self, pair: Value, column: int) -> Value:
        of_pair = self.code.at(self.body.address(Field.factors), pair, self.body.layout.heard_bytes)
        return self.code.at(of_pair, column, self.code.isa.factor_bytes)

    def number_at(self, base: Value, pair: Value, column: int) -> Value:
        """The address of a vector of a pair's D float32 numbers."""
        of_pair = self.code.at(base, pair, self.body.layout.state_bytes)
        return self.code.at(of_pair, column, FLOAT)


def _rays(body: Body) -> Iterator[_Ray]:
    builder, isa = body.builder, body.code.isa
    quarter = body.layout.state_bytes // FLOAT // len(RAYS)
    code = Code(builder, replace(isa, lanes=gcd(isa.lanes, quarter)))
    symbols, side = body.size(Field.symbols), body.size(Field.side)
    of_row = builder.mul(side, symbols)
    for i, (axis, direction) in enumerate(RAYS):
        outer, inner = (I64(1), of_row) if axis == 1 else (side, symbols)
        columns = range(i * quarter, (i + 1) * quarter, code.isa.lanes)
        yield _Ray(body, code, columns, outer, of_row, inner, direction)
