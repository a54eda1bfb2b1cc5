"""The code of the weights' gradients: outer products of two rows of numbers, summed over rows."""

from kernel.function import Body
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.tile_code import sum_by_tiles
from kernel.values import I64, Value


def kept_factors(body: Body, field: Field, index: Value, parts: int = 1) -> list[Value]:
    """Factors of a pair or group, D of each part, as float32."""
    return factors_at(body, field, index, parts * body.layout.vectors)


def factors_at(body: Body, field: Field, index: Value, vectors: int) -> list[Value]:
    """So many vectors of a pair's or group's factors, as float32."""
    code, size = body.code, body.layout.vector_factor_bytes
    kept = code.at(body.address(field), index, vectors * size)
    return [code.load_factors(code.at(kept, j, size)) for j in range(vectors)]


def store_rows(
    body: Body, field: Field, within: Value, vectors: int, column: int, rows: list[Value]
) -> None:
    """One column of a tile's rows from `within` on, for sums over rows; not if factors serve."""
    code = body.code
    if code.rows_are_factors:
        return
    of_row = body.layout.vector_bytes * vectors // code.rows_in_factor
    begin = code.at(body.address(field), within, of_row)
    code.store_rows(rows, code.at(begin, column, body.layout.vector_bytes))


def store_as_factors(
    body: Body, field: Field, place: Value, column: int, vectors: int, values: list[Value]
) -> None:
    """One column of consecutive rows from `place` on; `vectors` of a row."""
    code, size = body.code, body.layout.vector_factor_bytes
    for row, value in enumerate(values):
        of_row = code.at(body.address(field), body.builder.add(place, I64(row)), vectors * size)
        code.store_factors(value, code.at(of_row, column, size))


def outer(
    body: Body,
    to: Value,
    left: Value,
    left_vectors: int,
    right: Value,
    right_vectors: int,
    tile: int,
) -> None:
    """to[i, j] += sum over a tile's rows of left[row, i] · right[row, j]; `to` is float32.

    left, right: where rows begin that `store_rows` stored, or factors where these serve.
    """
    if body.layout.sums_by_tiles(tile):
        turned = body.address(Field.tile_turned)
        sum_by_tiles(body.code, to, left, left_vectors, right, right_vectors, turned)
        return
    code, vector_bytes = body.code, body.layout.vector_bytes
    inputs, room = left_vectors * code.isa.lanes, code.isa.registers - 6
    columns = max(n for n in range(1, 9) if right_vectors % n == 0 and 2 * n <= room)
    together = max(n for n in (8, 4, 2, 1) if inputs % n == 0 and n * columns <= room)
    steps = -(-tile // code.rows_in_factor)
    with code.loop(I64(inputs), step=together) as i:
        for begin in range(0, right_vectors, columns):
            places = [
                code.at(
                    code.at(to, body.builder.add(i, I64(k)), right_vectors * vector_bytes),
                    begin + j,
                    vector_bytes,
                )
                for k in range(together)
                for j in range(columns)
            ]
            totals = [code.load(code.vector, place) for place in places]
            for step in range(steps):
                of_left = code.at(left, step, left_vectors * vector_bytes)
                here = code.at(of_left, i, FLOAT)
                factors = [code.factor(code.at(here, k, FLOAT)) for k in range(together)]
                of_right = code.at(right, step, right_vectors * vector_bytes)
                for j in range(columns):
                    vector = code.weights(code.at(of_right, begin + j, vector_bytes))
                    for k in range(together):
                        at = k * columns + j
                        totals[at] = code.multiply_factors(factors[k], vector, totals[at])
            for place, total in zip(places, totals, strict=True):
                code.store(total, place)
