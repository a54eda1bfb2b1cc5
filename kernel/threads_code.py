"""The code that divides a step among threads without Python, whose lock they would wait for.

Helpers sleep on a semaphore each. The thread that calls hands out rows, does its own share, and
waits for the others.
"""

from llvmlite import ir

from kernel.function import Body
from kernel.job import Field
from kernel.values import I32, I64, POINTER, Value

SEMAPHORE_BYTES = 64  # more than any C library's sem_t


def write_help(body: Body, step: ir.Function) -> None:
    """Work whenever rows are handed out, until the job says that it is over."""
    builder = body.builder
    again, work, over = (builder.append_basic_block(name) for name in ("again", "work", "over"))
    builder.branch(again)
    builder.position_at_end(again)
    _semaphore(body, "sem_wait", body.address(Field.begin))
    builder.cbranch(builder.icmp_signed("!=", body.size(Field.over), I64(0)), over, work)
    builder.position_at_end(work)
    builder.call(step, [body.job])
    _semaphore(body, "sem_post", body.address(Field.done))
    builder.branch(again)
    builder.position_at_end(over)


def write_share(body: Body, step: ir.Function) -> None:
    """Of a list of jobs, the first is the caller's; arguments: the list, how many."""
    builder, code, (count,) = body.builder, body.code, body.arguments
    jobs = body.job  # a list of tables in place of one

    def job(index: Value) -> Value:
        return builder.load(code.at(jobs, index, 8), typ=POINTER)

    def semaphore(index: Value, which: Field) -> Value:
        return builder.load(code.at(job(index), which, 8), typ=POINTER)

    with code.loop(count, start=I64(1)) as index:
        _semaphore(body, "sem_post", semaphore(index, Field.begin))
    builder.call(step, [job(I64(0))])
    with code.loop(count, start=I64(1)) as index:
        _semaphore(body, "sem_wait", semaphore(index, Field.done))


def _semaphore(body: Body, name: str, semaphore: Value) -> None:
    """Call the C library; again if a signal came between."""
    builder, module = body.builder, body.builder.module
    function = module.globals.get(name) or ir.Function(
        module, ir.FunctionType(I32, [POINTER]), name
    )
    again, done = (builder.append_basic_block(part) for part in ("semaphore", "taken"))
    builder.branch(again)
    builder.position_at_end(again)
    failed = builder.icmp_signed("!=", builder.call(function, [semaphore]), I32(0))
    builder.cbranch(failed, again, done)
    builder.position_at_end(done)
