"""A module of code for one network: the parts that every way of running it shares."""

from collections.abc import Callable
from functools import partial

from llvmlite import ir

from kernel.attentive_code import AttentiveLatticeCode
from kernel.cell_code import CellCode
from kernel.function import Body, add_function
from kernel.isa import Isa
from kernel.lattice_code import LatticeCode
from kernel.layout import Layout, Network
from kernel.palette_code import PaletteCode
from kernel.refine_code import write_mix, write_project
from kernel.row_code import write_ask, write_begin, write_read
from kernel.threads_code import write_help, write_share
from kernel.values import I64, POINTER, Value

RUN, HELP, SHARE = "kernel_run", "kernel_help", "kernel_share"


def cell_code(network: Network) -> CellCode:
    """What writes the parts in which the network's cell differs from others."""
    if network.cell == "palette":
        return PaletteCode()
    return AttentiveLatticeCode() if network.unit_key else LatticeCode()


class NetworkCode:
    """`kernel_run(job)` takes rows until none is left; subclasses say what is done with a row.

    `kernel_share(jobs, how many)` has threads do so that are in `kernel_help(job)`.
    """

    def __init__(self, network: Network, isa: Isa, layout: Layout) -> None:
        self.module = ir.Module("ponder")
        self.network = network
        self.isa = isa
        self.layout = layout
        self._add = partial(add_function, self.module, isa=isa, layout=layout)
        self.cell = cell = cell_code(network)
        self.begin = self.add("begin", partial(write_begin, cell=cell), I64)
        self.ask = self.add("ask", partial(write_ask, cell=cell), POINTER)
        self.gather = self.add("gather", cell.write_gather, POINTER, POINTER, POINTER)
        self.project = self.add("project", write_project, POINTER, I64, I64)
        self.mix = self.add("mix", partial(write_mix, cell=cell), POINTER, POINTER)
        self.read = self.add("read", write_read, I64, POINTER)

    def add(self, name: str, write: Callable[[Body], None], *arguments: ir.Type) -> ir.Function:
        """A function within the module: of the job's table and `arguments`."""
        return self._add(name, write, arguments)

    def refine(self, body: Body, weights: Value, a: Value, b: Value, out: Value) -> None:
        """out = one block, by its weights, of a + b."""
        body.builder.call(self.gather, [body.job, a, b, weights])
        for projection, begin, end in body.group_kinds():
            of_kind = body.code.at(weights, projection, self.layout.projection_bytes)
            body.builder.call(self.project, [body.job, of_kind, begin, end])
        body.builder.call(self.mix, [body.job, weights, out])

    def add_run(self, write: Callable[[Body], None]) -> None:
        """What a thread does with its job, and the ways to have several threads do so."""
        run = self._add(RUN, write, (), linkage="external")
        self._add(HELP, partial(write_help, step=run), (), linkage="external")
        self._add(SHARE, partial(write_share, step=run), (I64,), linkage="external")
