"""The code of groups: sums of h over them, and gradients that go back from them."""

from kernel.function import Body
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.values import F32, Value


def clear_sums(body: Body) -> None:
    """Every group's sum is 0."""
    code, sums = body.code, body.address(Field.sums)
    with code.loop(body.groups()) as group:
        for j in range(body.layout.vectors):
            code.store(code.constant(0.0), body.state(sums, group, j))


def add_to_sums(body: Body, groups: list[Value], vector: int, h: Value) -> None:
    """Add one vector of a pair's h to the sums of its groups."""
    code, sums = body.code, body.address(Field.sums)
    for group in groups:
        total = code.add(body.load_state(sums, group, vector), h)
        code.store(total, body.state(sums, group, vector))


def store_sums(body: Body) -> None:
    """The sums, scaled, as factors."""
    code, layout, sums = body.code, body.layout, body.address(Field.sums)
    with code.loop(body.groups()) as group:
        scale = group_scale(body, group)
        factors = code.at(body.address(Field.group_factors), group, layout.factor_bytes)
        for j in range(layout.vectors):
            scaled = code.multiply(body.load_state(sums, group, j), scale)
            code.store_factors(scaled, code.at(factors, j, layout.vector_factor_bytes))


def group_scale(body: Body, group: Value) -> Value:
    """What a group's sum is scaled by, in every lane."""
    code = body.code
    return code.spread(code.load(F32, code.at(body.address(Field.scale), group, FLOAT)))


def scatter_sums(body: Body) -> None:
    """d_out += the d_sums of the pair's groups."""
    code = body.code
    d_out, d_sums = body.address(Field.d_out), body.address(Field.d_sums)
    with code.loop(body.size(Field.pairs)) as pair:
        groups = body.groups_of(pair)
        for j in range(body.layout.vectors):
            d = body.load_state(d_out, pair, j)
            for group in groups:
                d = code.add(d, body.load_state(d_sums, group, j))
            code.store(d, body.state(d_out, pair, j))


def add_to_d_groups(body: Body, group: Value, column: int, d: Value) -> None:
    """Add one vector to the gradient of a group's projection."""
    code = body.code
    at = mixed_at(body, Field.d_groups, group, column)
    code.store(code.add(code.load(code.vector, at), d), at)


def whole_at(body: Body, pair: Value, column: int) -> Value:
    """The address of one vector of a pair's summed projections, kept as factors are."""
    layout = body.layout
    of_pair = body.code.at(body.address(Field.whole), pair, layout.mixed_factor_bytes)
    return body.code.at(of_pair, column, layout.vector_factor_bytes)


def mixed_at(body: Body, field: Field, index: Value, column: int) -> Value:
    """The address of one vector of a pair's, or a group's, 2 W numbers."""
    of_index = body.code.at(body.address(field), index, body.layout.mixed_bytes)
    return body.code.at(of_index, column, body.layout.vector_bytes)
