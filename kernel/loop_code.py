"""Loops of the compiled code."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

from kernel.values import I64, Value


class LoopCode:
    """Adds loops where the builder stands; what is written within a `with` is their body."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    @contextmanager
    def loop(self, count: Value, step: int = 1, start: Value | None = None) -> Iterator[Value]:
        """Count from `start` (0) by `step` while a whole step fits below `count`."""
        builder = self.builder
        before = builder.block
        head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(I64)
        index.add_incoming(I64(0) if start is None else start, before)
        following = builder.add(index, I64(step))
        builder.cbranch(builder.icmp_signed("<=", following, count), body, done)
        builder.position_at_end(body)
        yield index
        index.add_incoming(following, builder.block)
        builder.branch(head)
        builder.position_at_end(done)

    @contextmanager
    def take(self, counter: Value, end: Value) -> Iterator[Value]:
        """Take the next number below `end` from a counter that threads share, again and again."""
        builder = self.builder
        head, body, done = (builder.append_basic_block(name) for name in ("take", "taken", "none"))
        builder.branch(head)
        builder.position_at_end(head)
        number = builder.atomic_rmw("add", counter, I64(1), "monotonic")
        builder.cbranch(builder.icmp_signed("<", number, end), body, done)
        builder.position_at_end(body)
        yield number
        builder.branch(head)
        builder.position_at_end(done)

    def sum_loop(
        self,
        count: int | Value,
        step: int,
        totals: Sequence[Value],
        more: Callable[[Value, Sequence[Value]], Sequence[Value]],
    ) -> Sequence[Value]:
        """`more(index, totals)` for indices 0, step … below `count`; totals stay in registers.

        count: above 0.
        """
        builder = self.builder
        before = builder.block
        end = count if isinstance(count, ir.Value) else I64(count)
        body, done = (builder.append_basic_block(name) for name in ("sum", "summed"))
        builder.branch(body)
        builder.position_at_end(body)
        index = builder.phi(I64)
        index.add_incoming(I64(0), before)
        kept = [builder.phi(total.type) for total in totals]
        found = more(index, kept)
        following = builder.add(index, I64(step))
        index.add_incoming(following, builder.block)
        for phi, total, further in zip(kept, totals, found, strict=True):
            phi.add_incoming(total, before)
            phi.add_incoming(further, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, end), body, done)
        builder.position_at_end(done)
        return found
