"""The code of a training step: a supervision step that keeps what its gradient needs, then that.

Row by row, as inference, so that what a row keeps is still in the core's cache when its gradient
is computed. Only the last deep recursion has a gradient: all of them keep in the same slots.
"""

from functools import partial
from typing import final

from llvmlite import ir

from kernel.cell_code import CellCode
from kernel.function import Body
from kernel.isa import Isa
from kernel.job import Field
from kernel.layout import FLOAT, ROLES, Layout, Network
from kernel.network_code import NetworkCode
from kernel.refine_back_code import write_collect, write_spread
from kernel.row_code import pairs_of
from kernel.tape_code import point_at_slot
from kernel.tile_code import forget_shapes, tell_shapes
from kernel.values import F32, I64, POINTER, Value

LOSS_VALUES = 4  # numbers that a row's loss reports
# Of a row: cells, symbols, first symbol, logits (P,), q_halt (1,), labels (S,), and where to put
# the gradients of logits and q_halt, and LOSS_VALUES numbers.
ROW_LOSS = ir.FunctionType(ir.VoidType(), [I64] * 3 + [POINTER] * 6)


@final
class TrainCode(NetworkCode):
    """Takes chunks of rows and sums each chunk's gradients in its order: the same for any team."""

    def __init__(self, network: Network, isa: Isa) -> None:
        """Raises: UnsupportedError."""
        super().__init__(network, isa, Layout(network, isa, keeps=True))
        self._copy = self.add("copy", _write_copy, POINTER, POINTER)
        self._loss = self.add("loss", _write_loss, I64)
        self._read_back = self.add("read_back", _write_read_back)
        self._spread = self.add("spread", partial(write_spread, cell=self.cell), POINTER, POINTER)
        self._collect = self.add("collect", write_collect, POINTER, POINTER, I64, I64)
        self._gather_back = self.add("gather_back", self.cell.write_gather_back, POINTER, POINTER)
        self._keep_question = self.add("keep_question", _write_keep_question)
        self._ask_back = self.add("ask_back", partial(_write_ask_back, cell=self.cell))
        self.add_run(self._write_train)

    def _write_train(self, body: Body) -> None:
        builder, code = body.builder, body.code
        if self.isa.tiles:
            tell_shapes(code, body.address(Field.tile_shapes))
        rows, of_chunk = body.size(Field.rows), body.size(Field.chunk_rows)
        chunks = builder.sdiv(builder.add(rows, builder.sub(of_chunk, I64(1))), of_chunk)
        with code.take(body.address(Field.next_row), chunks) as chunk:
            self._point_at_gradients(body, chunk)
            first = builder.mul(chunk, of_chunk)
            end = builder.add(first, of_chunk)
            end = builder.select(builder.icmp_signed("<", end, rows), end, rows)
            with code.loop(end, start=first) as row:
                self._forward(body, row)
                builder.call(self._loss, [body.job, row])
                self._backward(body)
        if self.isa.tiles:
            forget_shapes(code)

    def _point_at_gradients(self, body: Body, chunk: Value) -> None:
        begin = body.builder.mul(chunk, body.size(Field.gradient_bytes))
        place = body.code.at(body.address(Field.gradients), begin, 1)
        for field, floats in gradient_floats(self.network, self.layout).items():
            body.point(field, place)
            place = body.code.at(place, floats, FLOAT)

    def _forward(self, body: Body, row: Value) -> None:
        code = body.code
        row_bytes = body.builder.mul(body.size(Field.pairs), I64(self.layout.state_bytes))
        offset = body.builder.mul(row, row_bytes)
        y = code.at(body.address(Field.y_next), offset, 1)
        z = code.at(body.address(Field.z_next), offset, 1)
        body.builder.call(self.begin, [body.job, row])
        with code.loop(I64(self.network.deep_recursions)):
            body.builder.call(self.ask, [body.job, y])
            state = z
            for i in range(self.network.latent_recursions):
                state = self._refine(body, i, state, body.address(Field.question))
            out = self._refine(body, self.network.latent_recursions, y, state)
            body.builder.call(self._copy, [body.job, state, z])
            body.builder.call(self._copy, [body.job, out, y])
        body.builder.call(self.read, [body.job, row, y])

    def _refine(self, body: Body, recursion: int, a: Value, b: Value) -> Value:
        """All blocks of a + b, each in a slot of its own; returns where the output is."""
        for block in range(self.network.blocks):
            out = point_at_slot(body, recursion * self.network.blocks + block, self.cell.kept)
            weights = body.code.at(body.address(Field.blocks), block, self.layout.block_bytes)
            self.refine(body, weights, a, b, out)
            a, b = out, body.address(Field.zeros)
        return a

    def _backward(self, body: Body) -> None:
        """Add the row's gradients to the chunk's; the tape still stands at its last slot."""
        latent = self.network.latent_recursions
        body.builder.call(self._read_back, [body.job])
        self._refine_back(body, latent)
        for i in reversed(range(latent)):
            self._refine_back(body, i)
            body.builder.call(self._keep_question, [body.job])
        body.builder.call(self._ask_back, [body.job])

    def _refine_back(self, body: Body, recursion: int) -> None:
        for block in reversed(range(self.network.blocks)):
            point_at_slot(body, recursion * self.network.blocks + block, self.cell.kept)
            weights = body.code.at(body.address(Field.back_blocks), block, self.layout.block_bytes)
            size = self.layout.block_floats * FLOAT
            gradients = body.code.at(body.address(Field.d_blocks), block, size)
            body.builder.call(self._spread, [body.job, weights, gradients])
            for projection, begin, end in body.group_kinds():
                of_kind = body.code.at(weights, projection, self.layout.projection_bytes)
                d_kind = body.code.at(gradients, projection, self.layout.projection_floats * FLOAT)
                body.builder.call(self._collect, [body.job, of_kind, d_kind, begin, end])
            body.builder.call(self._gather_back, [body.job, weights, gradients])


def gradient_floats(network: Network, layout: Layout) -> dict[Field, int]:
    """What a chunk's gradients are, in the order in which they lie, and how many numbers each."""
    size = network.hidden_size
    return {
        Field.d_blocks: network.blocks * layout.block_floats,
        Field.d_roles: ROLES[network.cell] * size,
        Field.d_read: size,
        Field.d_halt: size,
        Field.d_halt_bias: 1,
    }


def _write_copy(body: Body) -> None:
    code, (source, target) = body.code, body.arguments
    with code.loop(body.size(Field.pairs)) as pair:
        for j in range(body.layout.vectors):
            code.store(body.load_state(source, pair, j), body.state(target, pair, j))


def _write_loss(body: Body) -> None:
    builder, code, (row,) = body.builder, body.code, body.arguments
    labels = code.at(body.address(Field.labels), builder.mul(row, body.size(Field.cells)), FLOAT)
    numbers = [body.size(field) for field in (Field.cells, Field.symbols, Field.first_symbol)]
    q_halt = code.at(body.address(Field.q_halt), row, FLOAT)
    gradients = [body.address(field) for field in (Field.d_logits, Field.d_q)]
    values = code.at(body.address(Field.losses), row, FLOAT * LOSS_VALUES)
    logits = pairs_of(body, Field.logits, row, FLOAT)
    addresses = [logits, q_halt, labels, *gradients, values]
    at = code.at(body.job, Field.row_loss, 8)
    builder.call(builder.load(at, typ=ROW_LOSS.as_pointer()), [*numbers, *addresses])


def _write_read_back(body: Body) -> None:
    """d_out of the last y, from its logits' gradient and q's; and the gradients of both heads."""
    code = body.code
    d_logits, d_q = body.address(Field.d_logits), code.load(F32, body.address(Field.d_q))
    bias = body.address(Field.d_halt_bias)
    code.store(code.add(code.load(F32, bias), d_q), bias)
    out, d_out = body.address(Field.out), body.address(Field.d_out)
    read, halt = body.address(Field.read), body.address(Field.halt)
    d_read, d_halt = body.address(Field.d_read), body.address(Field.d_halt)
    zero, d_q = I64(0), code.spread(d_q)
    with code.loop(body.size(Field.pairs)) as pair:
        d_logit = code.spread(code.load(F32, code.at(d_logits, pair, FLOAT)))
        for j in range(body.layout.vectors):
            d = code.multiply(d_logit, body.load_state(read, zero, j))
            d = code.multiply_add(d_q, body.load_state(halt, zero, j), d)
            code.store(d, body.state(d_out, pair, j))
            # What is asked of x gathers from here on.
            code.store(code.constant(0.0), body.state(body.address(Field.d_question), pair, j))
            y = body.load_state(out, pair, j)
            for weight, factor in ((d_read, d_logit), (d_halt, d_q)):
                total = code.multiply_add(factor, y, body.load_state(weight, zero, j))
                code.store(total, body.state(weight, zero, j))


def _write_keep_question(body: Body) -> None:
    """d_question += d_out: what a latent recursion added to z was y + x."""
    code = body.code
    d_out, kept = body.address(Field.d_out), body.address(Field.d_question)
    with code.loop(body.size(Field.pairs)) as pair:
        for j in range(body.layout.vectors):
            total = code.add(body.load_state(kept, pair, j), body.load_state(d_out, pair, j))
            code.store(total, body.state(kept, pair, j))


def _write_ask_back(body: Body, cell: CellCode) -> None:
    """The gradient of x; y was handed over without one."""
    code = body.code
    d_roles, kept = body.address(Field.d_roles), body.address(Field.d_question)
    with code.loop(body.size(Field.pairs)) as pair:
        role = code.wide(code.at(body.address(Field.role_of), pair, 4))
        for j in range(body.layout.vectors):
            d = body.load_state(kept, pair, j)
            code.store(code.add(body.load_state(d_roles, role, j), d), body.state(d_roles, role, j))
            cell.ask_back(body, pair, j, d)
