"""The code of a supervision step: `export.step_graph` and `model.trm`, row by row.

One row (one puzzle) after the other, so that its states stay in the core's own cache. P pairs, G
groups, S cells and N symbols are known when it runs: the same code serves puzzles of all sizes.
"""

from typing import final

from kernel.function import Body
from kernel.isa import Isa
from kernel.job import Field
from kernel.layout import Layout, Network
from kernel.network_code import NetworkCode
from kernel.tile_code import forget_shapes, tell_shapes
from kernel.values import I64, Value


@final
class StepCode(NetworkCode):
    """Takes rows and steps them."""

    def __init__(self, network: Network, isa: Isa) -> None:
        """Raises: UnsupportedError."""
        super().__init__(network, isa, Layout(network, isa))
        self.add_run(self._write_step)

    def _write_step(self, body: Body) -> None:
        code = body.code
        if self.isa.tiles:
            tell_shapes(code, body.address(Field.tile_shapes))
        row_bytes = body.builder.mul(body.size(Field.pairs), I64(self.layout.state_bytes))
        with code.take(body.address(Field.next_row), body.size(Field.rows)) as row:
            offset = body.builder.mul(row, row_bytes)
            y = code.at(body.address(Field.y_next), offset, 1)
            z = code.at(body.address(Field.z_next), offset, 1)
            question = body.address(Field.question)
            body.builder.call(self.begin, [body.job, row])
            with code.loop(I64(self.network.deep_recursions)):
                body.builder.call(self.ask, [body.job, y])
                with code.loop(I64(self.network.latent_recursions)):
                    self._refine(body, z, question, out=z)
                self._refine(body, y, z, out=y)
            body.builder.call(self.read, [body.job, row, y])
        if self.isa.tiles:
            forget_shapes(code)

    def _refine(self, body: Body, a: Value, b: Value, *, out: Value) -> None:
        """out = all blocks, one after the other, of a + b."""
        for block in range(self.network.blocks):
            weights = body.code.at(body.address(Field.blocks), block, self.layout.block_bytes)
            self.refine(body, weights, a, b, out)
            a, b = out, body.address(Field.zeros)
