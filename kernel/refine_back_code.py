"""The code of a refinement's gradient: `refine_code`, backwards, a few pairs at a time.

    spread    of the output -> of h and of every pair's summed projections, which the groups collect
    collect   of the groups' projections -> of the groups' sums, and of the weights
    scatter   … which go back to the pairs

Each adds what it finds out about the weights to the chunk's gradients (`outer_code`).
"""

from collections.abc import Iterator

from kernel.cell_code import CellCode
from kernel.function import Body
from kernel.group_code import group_scale, mixed_at, whole_at
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.outer_code import (
    kept_factors,
    outer,
    store_as_factors,
    store_rows,
)
from kernel.refine_code import products, products_of_rows
from kernel.values import F32, I64, Value


def write_spread(body: Body, cell: CellCode) -> None:
    """d_out: from the gradient of the output to that of h, without what goes through groups."""
    code, layout, (weights, gradients) = body.code, body.layout, body.arguments
    with code.loop(body.groups()) as group:
        for column in range(2 * layout.gates):
            code.store(code.constant(0.0), mixed_at(body, Field.d_groups, group, column))
    heard, mixed = layout.parts * layout.vectors, 2 * layout.gates
    begin: Value = I64(0)
    for tile, sub_tile in layout.back_sub_tiles():
        with code.loop(body.size(Field.pairs), step=tile, start=begin) as first:
            rows = min(tile, code.rows_in_factor)
            with code.loop(I64(tile), step=rows) as within:
                _through_norm(body, first, within, rows)
            with code.loop(I64(tile), step=sub_tile) as within:
                _through_swiglu(body, cell, weights, first, within, sub_tile)
            inner, d_wide, d_mixed = (
                body.address(_rows(body, rows, factors))
                for rows, factors in (
                    (Field.wide_inner, Field.wide_inner),
                    (Field.d_wide_rows, Field.d_factors),
                    (Field.d_mixed, Field.d_mixed_factors),
                )
            )
            of_out = code.at(gradients, layout.out_floats_at, FLOAT)
            outer(body, of_out, inner, layout.gates, d_wide, layout.vectors, tile)
            h = _tile_of(body, Field.factors, first, layout.heard_bytes)
            outer(body, gradients, h, heard, d_mixed, mixed, tile)
            _back_to_hidden(body, weights, first, tile)
        begin = first


def _rows(body: Body, rows: Field, factors: Field) -> Field:
    """Where sums over rows read: the factors, where these lie as rows do."""
    return factors if body.code.rows_are_factors else rows


def _tile_of(body: Body, factors: Field, first: Value, size: int) -> Value:
    """Where h, or the groups' sums, of a tile lie for sums over rows."""
    if body.code.rows_are_factors:
        return body.code.at(body.address(factors), first, size)
    return body.address(Field.wide_h)


def _through_norm(body: Body, first: Value, within: Value, rows: int) -> None:
    """The gradient of what was normed, of `rows` pairs; and their h for sums over rows."""
    code, vectors, parts = body.code, body.layout.vectors, body.layout.parts
    d_rows = []
    for row in range(rows):
        place = body.builder.add(within, I64(row))
        pair = body.builder.add(first, place)
        d = norm_back(body, pair, Field.norms, _output(body, pair))
        ahead = body.builder.add(pair, I64(body.layout.back_tile))
        code.prefetch(whole_at(body, ahead, 0), body.layout.mixed_factor_bytes)
        for j, vector in enumerate(d):
            code.store(vector, body.state(body.address(Field.d_wide), place, j))
        d_rows.append(d)
    for j in range(vectors):
        of_rows = [row[j] for row in d_rows]
        store_as_factors(body, Field.d_factors, within, j, vectors, of_rows)
        store_rows(body, Field.d_wide_rows, within, vectors, j, of_rows)
    pairs = [body.builder.add(first, body.builder.add(within, I64(row))) for row in range(rows)]
    h = [kept_factors(body, Field.factors, pair, parts) for pair in pairs]
    for j in range(parts * vectors):
        store_rows(body, Field.wide_h, within, parts * vectors, j, [row[j] for row in h])


def _output(body: Body, pair: Value) -> list[Value]:
    out = body.address(Field.out)
    return [body.load_state(out, pair, j) for j in range(body.layout.vectors)]


def norm_back(body: Body, pair: Value, norms: Field, normed: list[Value]) -> list[Value]:
    """d = scale · (d_out − normed · mean(d_out · normed)); norms: where the scales are."""
    code, layout = body.code, body.layout
    d_out = body.address(Field.d_out)
    d = [body.load_state(d_out, pair, j) for j in range(layout.vectors)]
    product = code.constant(0.0)
    for one, other in zip(d, normed, strict=True):
        product = code.multiply_add(one, other, product)
    mean = code.spread(code.multiply(code.total(product), F32(FLOAT / layout.state_bytes)))
    scale = code.spread(code.load(F32, code.at(body.address(norms), pair, FLOAT)))
    return [
        code.multiply(scale, code.subtract(one, code.multiply(other, mean)))
        for one, other in zip(d, normed, strict=True)
    ]


def _through_swiglu(
    body: Body, cell: CellCode, weights: Value, first: Value, within: Value, tile: int
) -> None:
    """Output projection and SwiGLU: d_mixed of `tile` pairs, added to their groups'."""
    code, layout = body.code, body.layout
    pair = body.builder.add(first, within)
    factors = code.at(body.address(Field.d_factors), within, layout.factor_bytes)
    of_out = code.at(weights, layout.out_at, 1)
    for columns in layout.back_column_blocks():
        for row, d_inner in products_of_rows(
            body,
            factors,
            of_out,
            steps=layout.hidden_steps,
            rows=tile,
            columns=len(columns),
            together=code.rows_in_factor,
        ):
            _swiglu_back(body, cell, pair, within, row, columns, d_inner)
        of_out = code.at(of_out, layout.panel_bytes(layout.hidden_steps, columns), 1)


def _swiglu_back(
    body: Body,
    cell: CellCode,
    pair: Value,
    within: Value,
    row: Value,
    columns: list[int],
    d_inner: list[list[Value]],
) -> None:
    """Some columns of the rows from `row` on; d_inner: [row][column]."""
    code, layout = body.code, body.layout
    place = body.builder.add(within, row)
    first = body.builder.add(pair, row)
    pairs = [body.builder.add(first, I64(i)) for i in range(len(d_inner))]
    groups = [body.groups_of(at) for at in pairs]
    for i, column in enumerate(columns):
        up_column = layout.gates + column
        inner, d_gate, d_up = [], [], []
        for at, d in zip(pairs, d_inner, strict=True):
            gate = code.load_factors(whole_at(body, at, column))
            up = code.load_factors(whole_at(body, at, up_column))
            sigmoid = code.divide(code.constant(1.0), code.one_and_exponential(gate))
            silu = code.multiply(gate, sigmoid)
            inner.append(code.multiply(silu, up))
            slope = code.multiply_add(silu, code.subtract(code.constant(1.0), sigmoid), sigmoid)
            d_gate.append(code.multiply(code.multiply(d[i], up), slope))
            d_up.append(code.multiply(d[i], silu))
        _store_inner(body, place, column, inner)
        for at_column, values in ((column, d_gate), (up_column, d_up)):
            store_rows(body, Field.d_mixed, place, 2 * layout.gates, at_column, values)
            store_as_factors(
                body, Field.d_mixed_factors, place, at_column, 2 * layout.gates, values
            )
            for k, value in enumerate(values):
                cell.to_groups(body, groups[k], at_column, value)


def _store_inner(body: Body, place: Value, column: int, inner: list[Value]) -> None:
    """Inner values are read by sums over rows alone."""
    if body.code.rows_are_factors:
        store_as_factors(body, Field.wide_inner, place, column, body.layout.gates, inner)
    else:
        store_rows(body, Field.wide_inner, place, body.layout.gates, column, inner)


def _back_to_hidden(body: Body, weights: Value, first: Value, tile: int) -> None:
    """d_out = what came through the norm + what came through the pair's own projection.

    Of a palette d_rays too, what came through the rays' projection.
    """
    code, layout = body.code, body.layout
    d_out, d_wide = body.address(Field.d_out), body.address(Field.d_wide)
    together = layout.rows_together(tile)
    for part in range(layout.parts):
        of_part = code.at(weights, part, layout.projection_bytes)
        with code.loop(I64(tile), step=together) as within:
            d_mixed = code.at(
                body.address(Field.d_mixed_factors), within, layout.mixed_factor_bytes
            )
            for row, totals in _to_hidden(body, d_mixed, of_part, together):
                place = body.builder.add(within, row)
                pair = body.builder.add(first, place)
                for j, d in enumerate(totals):
                    if part:
                        code.store(d, body.state(body.address(Field.d_rays), pair, j))
                        continue
                    whole = code.add(d, body.load_state(d_wide, place, j))
                    code.store(whole, body.state(d_out, pair, j))


def _to_hidden(
    body: Body, factors: Value, weights: Value, rows: int
) -> Iterator[tuple[Value, list[Value]]]:
    layout = body.layout
    return products(
        body,
        factors,
        weights,
        steps=layout.mixed_steps,
        rows=rows,
        columns=layout.vectors,
    )


def write_collect(body: Body) -> None:
    """d_sums of the groups of one kind, and the gradients of its weights.

    arguments: its weights, their gradients, first group, end.
    """
    code, layout, (weights, gradients, begin, end) = body.code, body.layout, body.arguments
    for tile in (*layout.group_tiles, 1):
        with code.loop(end, step=tile, start=begin) as first:
            d_mixed = _group_gradients(body, first, tile)
            sums = _tile_of(body, Field.group_factors, first, layout.factor_bytes)
            rows = d_mixed if code.rows_are_factors else body.address(Field.d_mixed)
            outer(body, gradients, sums, layout.vectors, rows, 2 * layout.gates, tile)
            _back_to_sums(body, weights, d_mixed, first, tile)
        begin = first


def _back_to_sums(body: Body, weights: Value, d_mixed: Value, first: Value, tile: int) -> None:
    code, layout = body.code, body.layout
    together = layout.rows_together(tile)
    with code.loop(I64(tile), step=together) as within:
        factors = code.at(d_mixed, within, layout.mixed_factor_bytes)
        for row, totals in _to_hidden(body, factors, weights, together):
            group = body.builder.add(body.builder.add(first, within), row)
            scale = group_scale(body, group)
            for j, total in enumerate(totals):
                to = body.state(body.address(Field.d_sums), group, j)
                code.store(code.multiply(total, scale), to)


def _group_gradients(body: Body, first: Value, tile: int) -> Value:
    """A tile's gradients as factors; where these are no rows, they and the sums as rows too."""
    code, layout = body.code, body.layout
    if code.rows_are_factors:
        return mixed_at(body, Field.d_groups, first, 0)
    rows = min(tile, code.rows_in_factor)
    with code.loop(I64(tile), step=rows) as within:
        groups = [
            body.builder.add(first, body.builder.add(within, I64(row))) for row in range(rows)
        ]
        for column in range(2 * layout.gates):
            d = [code.load(code.vector, mixed_at(body, Field.d_groups, g, column)) for g in groups]
            store_rows(body, Field.d_mixed, within, 2 * layout.gates, column, d)
            store_as_factors(body, Field.d_mixed_factors, within, column, 2 * layout.gates, d)
        sums = [kept_factors(body, Field.group_factors, group) for group in groups]
        for j in range(layout.vectors):
            store_rows(body, Field.wide_h, within, layout.vectors, j, [row[j] for row in sums])
    return body.address(Field.d_mixed_factors)
