"""The code of a lattice with attention inside units: what h is before the groups hear it.

    project   query, key and value of a + b, by pairs; kept by cells
    look      each cell's softmax over the cells of its row, column and box (`units_code`)
    combine   h = norm(a + b + out projection of what was seen)

and the same backwards, before the gradient goes back to what was gathered.
"""

from collections.abc import Mapping
from typing import final

from kernel.function import Body
from kernel.group_code import clear_sums, scatter_sums, store_sums
from kernel.job import Field
from kernel.lattice_code import LatticeCode
from kernel.layout import FLOAT
from kernel.outer_code import factors_at, outer, store_as_factors, store_rows
from kernel.pieces_code import Pieces
from kernel.refine_back_code import norm_back
from kernel.refine_code import hear, products
from kernel.units_code import BOX, COLUMN, ROW, look, look_back
from kernel.values import I64, Value


@final
class AttentiveLatticeCode(LatticeCode):
    """Pairs look at the cells of their units before they hear their groups."""

    @property
    def kept(self) -> Mapping[Field, Field]:
        return {
            **super().kept,
            Field.before_norms: Field.at_before_norms,
            Field.before_factors: Field.at_before_factors,
            Field.qkv: Field.at_qkv,
            Field.looks: Field.at_looks,
            Field.looked: Field.at_looked,
            Field.looked_factors: Field.at_looked_factors,
        }

    def write_gather(self, body: Body) -> None:
        a, b, weights = body.arguments
        _keep_before(body, a, b)
        _project(body, body.code.at(weights, body.layout.qkv_at, 1))
        look(body)
        clear_sums(body)
        _combine(body, body.code.at(weights, body.layout.seen_at, 1))
        store_sums(body)

    def write_gather_back(self, body: Body) -> None:
        code, layout, (weights, gradients) = body.code, body.layout, body.arguments
        scatter_sums(body)
        of_seen = code.at(gradients, layout.seen_floats_at, FLOAT)
        _combine_back(body, code.at(weights, layout.seen_at, 1), of_seen)
        look_back(body)
        of_qkv = code.at(gradients, layout.qkv_floats_at, FLOAT)
        _project_back(body, code.at(weights, layout.qkv_at, 1), of_qkv)


def _keep_before(body: Body, a: Value, b: Value) -> None:
    """h and its factors are a + b for now."""
    code, layout = body.code, body.layout
    with code.loop(body.size(Field.pairs)) as pair:
        factors = code.at(body.address(Field.before_factors), pair, layout.factor_bytes)
        for j in range(layout.vectors):
            h = code.add(body.load_state(a, pair, j), body.load_state(b, pair, j))
            code.store(h, body.state(body.address(Field.h), pair, j))
            code.store_factors(h, code.at(factors, j, layout.vector_factor_bytes))


def _project(body: Body, weights: Value) -> None:
    code, layout, pieces = body.code, body.layout, Pieces(body)
    begin: Value = I64(0)
    for tile in (layout.rows_together(layout.tile, layout.qkv_vectors), 1):
        with code.loop(body.size(Field.pairs), step=tile, start=begin) as first:
            factors = code.at(body.address(Field.before_factors), first, layout.factor_bytes)
            rows = products(
                body,
                factors,
                weights,
                steps=layout.hidden_steps,
                rows=tile,
                columns=layout.qkv_vectors,
            )
            for row, vectors in rows:
                pair = body.builder.add(first, row)
                for i, piece in enumerate(pieces.cut(vectors, 3 * pieces.of_plane)):
                    pieces.store(piece, Field.qkv, pair, i)
        begin = first


def _combine(body: Body, weights: Value) -> None:
    code, layout, pieces = body.code, body.layout, Pieces(body)
    begin: Value = I64(0)
    for tile in (layout.rows_together(layout.tile), 1):
        with code.loop(body.size(Field.pairs), step=tile, start=begin) as first:
            for row in range(tile):
                _keep_looked(body, pieces, body.builder.add(first, I64(row)))
            seen = code.at(body.address(Field.looked_factors), first, layout.seen_bytes)
            rows = products(
                body, seen, weights, steps=layout.seen_steps, rows=tile, columns=layout.vectors
            )
            for row, vectors in rows:
                pair = body.builder.add(first, row)
                before = [
                    body.load_state(body.address(Field.h), pair, j) for j in range(layout.vectors)
                ]
                hear(body, pair, [code.add(*both) for both in zip(before, vectors, strict=True)])
        begin = first


def _keep_looked(body: Body, pieces: Pieces, pair: Value) -> None:
    """Of a pair's row and column the larger, number by number, and its box behind it."""
    code, layout, of_plane = pieces.code, body.layout, pieces.of_plane
    factors = code.at(body.address(Field.looked_factors), pair, layout.seen_bytes)
    for i in range(of_plane):
        row, column, box = (
            pieces.load(Field.looked, pair, plane * of_plane + i) for plane in (ROW, COLUMN, BOX)
        )
        for place, piece in ((i, code.larger(row, column)), (of_plane + i, box)):
            at = code.at(factors, place * layout.piece, code.isa.factor_bytes)
            code.store_factors(piece, at)


def _combine_back(body: Body, weights: Value, gradients: Value) -> None:
    """d_out: of h -> of a + b as h's residual; d_looked; and the gradient of `out`."""
    code, layout, pieces = body.code, body.layout, Pieces(body)
    begin: Value = I64(0)
    for tile, sub_tile in layout.back_sub_tiles():
        with code.loop(body.size(Field.pairs), step=tile, start=begin) as first:
            rows = min(tile, code.rows_in_factor)
            with code.loop(I64(tile), step=rows) as within:
                _through_norm(body, first, within, rows)
            seen, wide = Field.looked_rows, Field.d_wide_rows
            left, right = body.address(seen), body.address(wide)
            if code.rows_are_factors:
                left = code.at(body.address(Field.looked_factors), first, layout.seen_bytes)
                right = body.address(Field.d_factors)
            outer(body, gradients, left, layout.seen_vectors, right, layout.vectors, tile)
            with code.loop(I64(tile), step=sub_tile) as within:
                factors = code.at(body.address(Field.d_factors), within, layout.factor_bytes)
                pair = body.builder.add(first, within)
                found = products(
                    body,
                    factors,
                    weights,
                    steps=layout.hidden_steps,
                    rows=sub_tile,
                    columns=layout.seen_vectors,
                )
                for row, vectors in found:
                    _looked_back(body, pieces, body.builder.add(pair, row), vectors)
        begin = first


def _through_norm(body: Body, first: Value, within: Value, rows: int) -> None:
    """The gradient of what was normed, of `rows` pairs; and what they saw for sums over rows."""
    code, layout = body.code, body.layout
    pairs = [body.builder.add(first, body.builder.add(within, I64(row))) for row in range(rows)]
    d_rows, seen = [], []
    for pair in pairs:
        h = factors_at(body, Field.factors, pair, layout.vectors)
        d = norm_back(body, pair, Field.before_norms, h)
        for j, vector in enumerate(d):
            code.store(vector, body.state(body.address(Field.d_out), pair, j))
        d_rows.append(d)
        seen.append(factors_at(body, Field.looked_factors, pair, layout.seen_vectors))
    for j in range(layout.vectors):
        of_rows = [row[j] for row in d_rows]
        store_as_factors(body, Field.d_factors, within, j, layout.vectors, of_rows)
        store_rows(body, Field.d_wide_rows, within, layout.vectors, j, of_rows)
    for j in range(layout.seen_vectors):
        of_rows = [row[j] for row in seen]
        store_rows(body, Field.looked_rows, within, layout.seen_vectors, j, of_rows)


def _looked_back(body: Body, pieces: Pieces, pair: Value, d_seen: list[Value]) -> None:
    """To a pair's row or column, whichever was larger, and to its box."""
    of_plane, zero = pieces.of_plane, pieces.code.constant(0.0)
    found = pieces.cut(d_seen, 2 * of_plane)
    for i in range(of_plane):
        row, column = (
            pieces.load(Field.looked, pair, plane * of_plane + i) for plane in (ROW, COLUMN)
        )
        by_row = body.builder.fcmp_ordered(">", row, column)
        for plane, d in (
            (ROW, body.builder.select(by_row, found[i], zero)),
            (COLUMN, body.builder.select(by_row, zero, found[i])),
            (BOX, found[of_plane + i]),
        ):
            pieces.store(d, Field.d_looked, pair, plane * of_plane + i)


def _project_back(body: Body, weights: Value, gradients: Value) -> None:
    """d_out += what came through queries, keys and values; and their weights' gradient."""
    code, layout, pieces = body.code, body.layout, Pieces(body)
    begin: Value = I64(0)
    for tile in (*layout.back_tiles, 1):
        with code.loop(body.size(Field.pairs), step=tile, start=begin) as first:
            rows = min(tile, code.rows_in_factor)
            with code.loop(I64(tile), step=rows) as within:
                _join(body, pieces, first, within, rows)
            left, right = body.address(Field.wide_h), body.address(Field.d_qkv_rows)
            if code.rows_are_factors:
                left = code.at(body.address(Field.before_factors), first, layout.factor_bytes)
                right = body.address(Field.d_qkv_factors)
            outer(body, gradients, left, layout.vectors, right, layout.qkv_vectors, tile)
            together = layout.rows_together(tile)
            with code.loop(I64(tile), step=together) as within:
                size = layout.qkv_steps * FLOAT
                factors = code.at(body.address(Field.d_qkv_factors), within, size)
                found = products(
                    body,
                    factors,
                    weights,
                    steps=layout.qkv_steps,
                    rows=together,
                    columns=layout.vectors,
                )
                pair = body.builder.add(first, within)
                for row, vectors in found:
                    _add_to_d_out(body, body.builder.add(pair, row), vectors)
        begin = first


def _join(body: Body, pieces: Pieces, first: Value, within: Value, rows: int) -> None:
    """d_qkv of `rows` pairs as factors, and it and what was gathered for sums over rows."""
    layout, vectors = body.layout, body.layout.qkv_vectors
    pairs = [body.builder.add(first, body.builder.add(within, I64(row))) for row in range(rows)]
    d_rows = [
        pieces.join([pieces.load(Field.d_qkv, pair, i) for i in range(3 * pieces.of_plane)])
        for pair in pairs
    ]
    before = [factors_at(body, Field.before_factors, pair, layout.vectors) for pair in pairs]
    for j in range(vectors):
        of_rows = [row[j] for row in d_rows]
        store_as_factors(body, Field.d_qkv_factors, within, j, vectors, of_rows)
        store_rows(body, Field.d_qkv_rows, within, vectors, j, of_rows)
    for j in range(layout.vectors):
        of_rows = [row[j] for row in before]
        store_rows(body, Field.wide_h, within, layout.vectors, j, of_rows)


def _add_to_d_out(body: Body, pair: Value, vectors: list[Value]) -> None:
    d_out = body.address(Field.d_out)
    for j, vector in enumerate(vectors):
        total = body.code.add(vector, body.load_state(d_out, pair, j))
        body.code.store(total, body.state(d_out, pair, j))
