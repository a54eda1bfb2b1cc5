"""The code of one refinement: what the model's block says, a few pairs at a time.

    gather   h of a + b, and the sums of h over every group; as the cell does it (`cell_code`)
    project  each group's sum by its weights: groups are many times fewer than pairs
    mix      own projection + groups, SwiGLU, output projection, residual, root mean square

`mix` takes its pairs through all of it while they are in registers and the first cache.
"""

from collections.abc import Iterator, Sequence

from kernel.cell_code import CellCode
from kernel.function import Body
from kernel.group_code import add_to_sums, mixed_at, whole_at
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.tile_code import ROW_BYTES, multiply_tiles
from kernel.values import F32, I64, Value

RMS_EPSILON = 1e-5


def write_project(body: Body) -> None:
    """mixed = sums of the groups of one kind by its weights; arguments: these, first group, end."""
    code, (weights, begin, end) = body.code, body.arguments
    for tile in (body.layout.sub_tile, 1):
        with code.loop(end, step=tile, start=begin) as group:
            _project_tile(body, weights, group, tile)
        begin = group


def _project_tile(body: Body, weights: Value, group: Value, tile: int) -> None:
    code, layout = body.code, body.layout
    factors = code.at(body.address(Field.group_factors), group, layout.factor_bytes)
    mixed = code.at(body.address(Field.mixed), group, layout.mixed_bytes)
    steps = layout.hidden_steps
    for columns in layout.column_blocks():
        for row, totals in products(
            body, factors, weights, steps=steps, rows=tile, columns=len(columns)
        ):
            to = code.at(mixed, row, layout.mixed_bytes)
            for column, total in zip(columns, totals, strict=True):
                code.store(total, code.at(to, column, layout.vector_bytes))
        weights = code.at(weights, layout.panel_bytes(steps, columns), 1)


def write_mix(body: Body, cell: CellCode) -> None:
    """second argument = norm(h + output projection of silu(gate) · up), by the first's weights."""
    code, layout, (weights, out) = body.code, body.layout, body.arguments
    begin: Value = I64(0)
    for tile, sub_tile in ((layout.tile, layout.sub_tile), (1, 1)):
        with code.loop(body.size(Field.pairs), step=tile, start=begin) as first:
            # One block of columns after the other: its weights stay in the first cache.
            panel = weights
            for columns in layout.column_blocks():
                with code.loop(I64(tile), step=sub_tile) as within:
                    _mix_inner(body, cell, panel, first, within, sub_tile, columns)
                panel = code.at(panel, layout.panel_bytes(layout.heard_steps, columns), 1)
            _mix_outer(body, weights, first, tile, out)
        begin = first


def _mix_inner(
    body: Body,
    cell: CellCode,
    panel: Value,
    first: Value,
    within: Value,
    tile: int,
    columns: list[int],
) -> None:
    """Some columns of inner = silu(gate) · up of `tile` pairs, stored from `within` on."""
    code, layout = body.code, body.layout
    pair = body.builder.add(first, within)
    factors = code.at(body.address(Field.factors), pair, layout.heard_bytes)
    inner = code.at(body.address(Field.inner), within, layout.inner_bytes)
    half, steps = len(columns) // 2, layout.heard_steps
    for row, totals in products(body, factors, panel, steps=steps, rows=tile, columns=len(columns)):
        own = body.builder.add(pair, row)
        groups = body.groups_of(own)
        whole = [
            cell.with_groups(
                code, total, [mixed_at(body, Field.mixed, group, column) for group in groups]
            )
            for column, total in zip(columns, totals, strict=True)
        ]
        if layout.keeps:
            _keep_whole(body, own, columns, whole)
        to = code.at(inner, row, layout.inner_bytes)
        for column, gate, up in zip(columns[:half], whole[:half], whole[half:], strict=True):
            value = code.multiply(code.swish(gate), up)
            code.store_factors(value, code.at(to, column, layout.vector_factor_bytes))


def _keep_whole(body: Body, pair: Value, columns: list[int], whole: list[Value]) -> None:
    for column, vector in zip(columns, whole, strict=True):
        body.code.store_factors(vector, whole_at(body, pair, column))


def _mix_outer(body: Body, weights: Value, first: Value, tile: int, out: Value) -> None:
    """From W back to D, residual and norm, for the pairs of a tile."""
    code, layout = body.code, body.layout
    weights = code.at(weights, layout.out_at, 1)
    together = layout.rows_together(tile)
    with code.loop(I64(tile), step=together) as within:
        inner = code.at(body.address(Field.inner), within, layout.inner_bytes)
        rows = products(
            body,
            inner,
            weights,
            steps=layout.width_steps,
            rows=together,
            columns=layout.vectors,
        )
        for row, totals in rows:
            pair = body.builder.add(body.builder.add(first, within), row)
            h = body.address(Field.h)
            wide = [code.add(t, body.load_state(h, pair, j)) for j, t in enumerate(totals)]
            scale = norm_scale(body, wide)
            if layout.keeps:
                code.store(scale, code.at(body.address(Field.norms), pair, FLOAT))
            scales = code.spread(scale)
            for j, vector in enumerate(wide):
                code.store(code.multiply(vector, scales), body.state(out, pair, j))


def norm_scale(body: Body, h: list[Value]) -> Value:
    """What brings a pair's vector to unit root mean square, a scalar."""
    code = body.code
    square = code.constant(0.0)
    for vector in h:
        square = code.multiply_add(vector, vector, square)
    mean = code.multiply(code.total(square), F32(1 / (len(h) * code.isa.lanes)))
    root = code.call("llvm.sqrt", [code.add(mean, F32(RMS_EPSILON))])
    return code.divide(F32(1.0), root)


def hear(body: Body, pair: Value, wide: list[Value]) -> None:
    """h = norm(wide), as numbers and as factors, and told to the pair's groups; keeps its scale."""
    code, layout = body.code, body.layout
    scale = norm_scale(body, wide)
    code.store(scale, code.at(body.address(Field.before_norms), pair, FLOAT))
    scales, groups = code.spread(scale), body.groups_of(pair)
    factors = code.at(body.address(Field.factors), pair, layout.heard_bytes)
    for j, vector in enumerate(wide):
        h = code.multiply(vector, scales)
        code.store(h, body.state(body.address(Field.h), pair, j))
        code.store_factors(h, code.at(factors, j, layout.vector_factor_bytes))
        add_to_sums(body, groups, j, h)


def products(
    body: Body, factors: Value, weights: Value, *, steps: int, rows: int, columns: int
) -> Iterator[tuple[Value, list[Value]]]:
    """Sums over all inputs: each row's number and its vectors; what is done with them is unrolled
    over rows, or is a loop's body, and ends before the next is asked for.

    factors: of consecutive rows, four bytes a step; weights: a panel of so many columns.
    """
    for row, together in products_of_rows(
        body, factors, weights, steps=steps, rows=rows, columns=columns, together=1
    ):
        yield row, together[0]


def products_of_rows(
    body: Body,
    factors: Value,
    weights: Value,
    *,
    steps: int,
    rows: int,
    columns: int,
    together: int,
) -> Iterator[tuple[Value, list[list[Value]]]]:
    """As `products`, but so many rows at a time, fewer last: the first one's number, and theirs."""
    if body.layout.by_tiles(rows, steps):
        code, sums, size = body.code, body.address(Field.tile_sums), columns * ROW_BYTES
        multiply_tiles(code, factors, weights, sums, steps=steps, columns=columns)
        with code.loop(I64(rows), step=together) as row:
            at = code.at(sums, row, size)
            yield (
                row,
                [
                    [
                        code.load(code.vector, code.at(at, k * size + i * ROW_BYTES, 1))
                        for i in range(columns)
                    ]
                    for k in range(together)
                ],
            )
        return
    found = _in_registers(body, factors, weights, steps=steps, rows=rows, columns=columns)
    for first in range(0, rows, together):
        yield I64(first), found[first : first + together]


def _in_registers(
    body: Body, factors: Value, weights: Value, *, steps: int, rows: int, columns: int
) -> list[list[Value]]:
    code = body.code
    vector_bytes = code.isa.lanes * FLOAT
    at_once = body.layout.steps_at_once(steps)

    def more(step: Value, totals: Sequence[Value]) -> Sequence[Value]:
        for ahead in range(at_once):
            at = code.builder.add(step, I64(ahead))
            spread = [
                code.factor(code.at(code.at(factors, row * steps, FLOAT), at, FLOAT))
                for row in range(rows)
            ]
            of_step = code.at(weights, at, columns * vector_bytes)
            further = list(totals)
            for i in range(columns):  # one vector of weights at a time: registers are few
                vector = code.weights(code.at(of_step, i, vector_bytes))
                for row in range(rows):
                    place = row * columns + i
                    further[place] = code.multiply_factors(spread[row], vector, further[place])
            totals = further
        return totals

    found = code.sum_loop(steps, at_once, [code.constant(0.0)] * (rows * columns), more)
    return [list(found[row * columns : (row + 1) * columns]) for row in range(rows)]
