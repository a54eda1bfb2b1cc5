"""Where a training step keeps what the gradient of each refinement needs."""

from kernel.code import I64, Value
from kernel.function import Body
from kernel.job import Field

# What a slot holds, and where in it that begins.
KEPT = {
    Field.factors: Field.at_factors,
    Field.group_factors: Field.at_group_factors,
    Field.mixed: Field.at_mixed,
    Field.whole: Field.at_whole,
    Field.norms: Field.at_norms,
    Field.out: Field.at_out,
}


def point_at_slot(body: Body, slot: int) -> Value:
    """Let a refinement work in slot `slot` of the tape; returns where its output goes."""
    tape = body.address(Field.tape)
    begin = body.code.at(tape, body.builder.mul(body.size(Field.tape_slot), I64(slot)), 1)
    for field, offset in KEPT.items():
        body.point(field, body.code.at(begin, body.size(offset), 1))
    return body.address(Field.out)
