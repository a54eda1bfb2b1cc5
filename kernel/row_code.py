"""The code of what begins and ends a supervision step of a row: its states, question and answer."""

from kernel.cell_code import CellCode
from kernel.function import Body
from kernel.job import Field
from kernel.layout import FLOAT
from kernel.values import F32, I32, I64, Value

NO_SYMBOL_LOGIT = -30.0  # of pad and empty, as in the models


def write_begin(body: Body, cell: CellCode) -> None:
    """A row's states, its own of the step before or fresh ones, and its pairs' roles."""
    code, (row,) = body.code, body.arguments
    body.builder.store(row, code.at(body.job, Field.row, 8))
    source = body.builder.load(code.at(body.address(Field.source), row, 8), typ=I64)
    fresh = body.builder.icmp_signed("<", source, I64(0))
    with body.builder.if_else(fresh) as (start, carry_on):
        with start:
            _write_start(body, row)
        with carry_on:
            _write_carry_on(body, row, source)
    _write_roles(body, row, cell)


def pairs_of(body: Body, field: Field, row: Value, size: int) -> Value:
    """Where a row's P elements of `size` bytes begin."""
    first = body.builder.mul(row, body.size(Field.pairs))
    return body.code.at(body.address(field), first, size)


def _write_start(body: Body, row: Value) -> None:
    code, starts = body.code, body.address(Field.starts)
    noise = pairs_of(body, Field.noise, row, FLOAT)
    with code.loop(body.size(Field.pairs)) as pair:
        moved = code.spread(code.load(F32, code.at(noise, pair, FLOAT)))
        for state, field in enumerate((Field.y_next, Field.z_next)):
            to = pairs_of(body, field, row, body.layout.state_bytes)
            for j in range(body.layout.vectors):
                start = body.load_state(starts, I64(state), j)
                along = body.load_state(starts, I64(2 + state), j)
                code.store(code.multiply_add(moved, along, start), body.state(to, pair, j))


def _write_carry_on(body: Body, row: Value, source: Value) -> None:
    code, size = body.code, body.layout.state_bytes
    with code.loop(body.size(Field.pairs)) as pair:
        for before, after in ((Field.y, Field.y_next), (Field.z, Field.z_next)):
            state = pairs_of(body, before, source, size)
            to = pairs_of(body, after, row, size)
            for j in range(body.layout.vectors):
                code.store(body.load_state(state, pair, j), body.state(to, pair, j))


def _write_roles(body: Body, row: Value, kind: CellCode) -> None:
    """What each pair is told by the token of its cell."""
    builder, code = body.builder, body.code
    cells, symbols = body.size(Field.cells), body.size(Field.symbols)
    tokens = code.at(body.address(Field.tokens), builder.mul(row, cells), 4)
    with code.loop(cells) as cell:
        token = code.wide(code.at(tokens, cell, 4))
        symbol = builder.sub(token, body.size(Field.first_symbol))
        first = builder.mul(cell, symbols)
        with code.loop(symbols) as own:
            role = kind.role(body, symbol, own)
            code.store(role, code.at(body.address(Field.role_of), builder.add(first, own), 4))


def write_ask(body: Body, cell: CellCode) -> None:
    """question = y + x; x is told by the roles, and by what the row says of its pairs."""
    code, (y,) = body.code, body.arguments
    with code.loop(body.size(Field.pairs)) as pair:
        role = code.wide(code.at(body.address(Field.role_of), pair, 4))
        for j in range(body.layout.vectors):
            of_role = body.load_state(body.address(Field.roles), role, j)
            x = cell.asked(body, pair, j, of_role)
            asked = code.add(body.load_state(y, pair, j), x)
            code.store(asked, body.state(body.address(Field.question), pair, j))


def write_read(body: Body) -> None:
    """Logits; the answer, a cell's best symbol and the first of equals; and q of the mean of y."""
    builder, code, (row, y) = body.builder, body.code, body.arguments
    best, token, q = (builder.alloca(kind) for kind in (F32, I32, F32))
    cells, symbols = body.size(Field.cells), body.size(Field.symbols)
    answer = code.at(body.address(Field.answer), builder.mul(row, cells), 4)
    logits = pairs_of(body, Field.logits, row, FLOAT)
    code.store(code.load(F32, body.address(Field.halt_bias)), q)
    with code.loop(cells) as cell:
        code.store(F32(NO_SYMBOL_LOGIT), best)
        code.store(I32(0), token)
        first = builder.mul(cell, symbols)
        with code.loop(symbols) as symbol:
            pair = builder.add(first, symbol)
            logit = _dot(body, y, pair, Field.read)
            code.store(logit, code.at(logits, pair, FLOAT))
            code.store(code.add(code.load(F32, q), _dot(body, y, pair, Field.halt)), q)
            better = builder.fcmp_ordered(">", logit, code.load(F32, best))
            own = builder.trunc(builder.add(symbol, body.size(Field.first_symbol)), I32)
            code.store(builder.select(better, own, code.load(I32, token)), token)
            code.store(builder.select(better, logit, code.load(F32, best)), best)
        code.store(code.load(I32, token), code.at(answer, cell, 4))
    code.store(code.load(F32, q), code.at(body.address(Field.q_halt), row, FLOAT))


def _dot(body: Body, y: Value, pair: Value, weights: Field) -> Value:
    """Of a pair's state with D weights, a scalar."""
    code, weight = body.code, body.address(weights)
    total = code.constant(0.0)
    for j in range(body.layout.vectors):
        vector = body.load_state(weight, I64(0), j)
        total = code.multiply_add(body.load_state(y, pair, j), vector, total)
    return code.total(total)
