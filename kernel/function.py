"""A function being written: its code, its arguments, and where it finds what it works on."""

from collections.abc import Callable
from typing import final

from llvmlite import ir

from kernel.code import Code
from kernel.isa import Isa
from kernel.job import Field
from kernel.layout import Layout
from kernel.values import I64, POINTER, Value

GROUPS_OF_A_PAIR = 4  # its cell, row, column, and box or canvas


@final
class Body:
    """The first argument is the job's table; `arguments` are the others."""

    def __init__(self, function: ir.Function, isa: Isa, layout: Layout) -> None:
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.code = Code(self.builder, isa)
        self.layout = layout
        self.job, *self.arguments = function.args

    def address(self, field: Field) -> Value:
        """What the table has there, an address."""
        return self.builder.load(self.code.at(self.job, field, 8), typ=POINTER)

    def size(self, field: Field) -> Value:
        """What the table has there, a number."""
        return self.builder.load(self.code.at(self.job, field, 8), typ=I64)

    def point(self, field: Field, address: Value) -> None:
        """Put an address into the table."""
        self.builder.store(address, self.code.at(self.job, field, 8))

    def group_kinds(self) -> list[tuple[int, Value, Value]]:
        """The groups' projections, each with its first group and where its groups end."""
        ends = self.address(Field.group_ends)
        kinds, begin = [], I64(0)
        for kind in range(self.layout.group_projections):
            end = self.builder.load(self.code.at(ends, kind, 8), typ=I64)
            kinds.append((self.layout.parts + kind, begin, end))
            begin = end
        return kinds

    def groups(self) -> Value:
        """How many groups there are."""
        return self.group_kinds()[-1][-1]

    def groups_of(self, pair: Value) -> list[Value]:
        """A pair's four groups: its cell, row, column, and box or canvas."""
        members = self.code.at(self.address(Field.members), pair, GROUPS_OF_A_PAIR * 4)
        return [self.code.wide(self.code.at(members, i, 4)) for i in range(GROUPS_OF_A_PAIR)]

    def state(self, base: Value, pair: Value, vector: int) -> Value:
        """The address of one vector of a pair's, or a group's, D numbers."""
        of_pair = self.code.at(base, pair, self.layout.state_bytes)
        return self.code.at(of_pair, vector, self.layout.vector_bytes)

    def load_state(self, base: Value, pair: Value, vector: int) -> Value:
        """That vector."""
        return self.code.load(self.code.vector, self.state(base, pair, vector))


def add_function(
    module: ir.Module,
    name: str,
    write: Callable[[Body], None],
    arguments: tuple[ir.Type, ...],
    *,
    isa: Isa,
    layout: Layout,
    linkage: str = "internal",
) -> ir.Function:
    """A function of the job's table and `arguments` that returns nothing."""
    kind = ir.FunctionType(ir.VoidType(), [POINTER, *arguments])
    function = ir.Function(module, kind, name)
    function.linkage = linkage
    function.attributes.add("nounwind")
    body = Body(function, isa, layout)
    write(body)
    body.builder.ret_void()
    return function
