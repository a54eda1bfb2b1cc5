"""A module of code for one network: the parts that every way of running it shares."""

from collections.abc import Callable
from functools import partial

from llvmlite import ir

from kernel.code import I64, POINTER
from kernel.function import Body, add_function
from kernel.isa import Isa
from kernel.layout import Layout, Network
from kernel.refine_code import write_gather, write_mix, write_project
from kernel.row_code import write_ask, write_begin, write_read
from kernel.threads_code import write_help, write_share

RUN, HELP, SHARE = "lattice_run", "lattice_help", "lattice_share"


class NetworkCode:
    """`lattice_run(job)` takes rows until none is left; subclasses say what is done with a row.

    `lattice_share(jobs, how many)` has threads do so that are in `lattice_help(job)`.
    """

    def __init__(self, network: Network, isa: Isa, layout: Layout) -> None:
        self.module = ir.Module("ponder")
        self.network = network
        self.isa = isa
        self.layout = layout
        self._add = partial(add_function, self.module, isa=isa, layout=layout)
        self.begin = self.add("begin", write_begin, I64)
        self.ask = self.add("ask", write_ask, POINTER)
        self.gather = self.add("gather", write_gather, POINTER, POINTER)
        self.project = self.add("project", write_project, POINTER)
        self.mix = self.add("mix", write_mix, POINTER, POINTER)
        self.read = self.add("read", write_read, I64, POINTER)

    def add(self, name: str, write: Callable[[Body], None], *arguments: ir.Type) -> ir.Function:
        """A function within the module: of the job's table and `arguments`."""
        return self._add(name, write, arguments)

    def add_run(self, write: Callable[[Body], None]) -> None:
        """What a thread does with its job, and the ways to have several threads do so."""
        run = self._add(RUN, write, (), linkage="external")
        self._add(HELP, partial(write_help, step=run), (), linkage="external")
        self._add(SHARE, partial(write_share, step=run), (I64,), linkage="external")
