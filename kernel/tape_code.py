"""Where a training step keeps what the gradient of each refinement needs."""

from collections.abc import Mapping

from kernel.function import Body
from kernel.job import Field
from kernel.values import I64, Value

# What a slot holds of every cell, and where in it that begins.
KEPT: Mapping[Field, Field] = {
    Field.factors: Field.at_factors,
    Field.group_factors: Field.at_group_factors,
    Field.whole: Field.at_whole,
    Field.norms: Field.at_norms,
    Field.out: Field.at_out,
}


def point_at_slot(body: Body, slot: int, kept: Mapping[Field, Field]) -> Value:
    """Let a refinement work in slot `slot` of the tape; returns where its output goes."""
    tape = body.address(Field.tape)
    begin = body.code.at(tape, body.builder.mul(body.size(Field.tape_slot), I64(slot)), 1)
    for field, offset in kept.items():
        body.point(field, body.code.at(begin, body.size(offset), 1))
    return body.address(Field.out)
