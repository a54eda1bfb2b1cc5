"""The code of matrix products by tiles (AMX): eight rows at once, 32 bfloat16 numbers a step.

Their factors and weights lie as those of vectors do; what comes out goes through memory.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from kernel.code import Code
from kernel.layout import TILE_ROWS, TILE_STEPS, TILES_OUT
from kernel.values import I8, I32, I64, Value

ROW_BYTES = 64  # of every tile
# Eight registers: what comes out, factors, weights.
OUT, FACTORS, WEIGHTS = range(TILES_OUT), 4, (5, 6, 7)


def tile_shapes() -> npt.NDArray[np.uint8]:
    """What the CPU is told of its tiles: 64 bytes, as `ldtilecfg` reads them."""
    shapes = np.zeros(64, np.uint8)
    shapes[0] = 1  # the one kind of tiles there is
    shapes[16:32].view(np.uint16)[:] = ROW_BYTES
    shapes[48:56] = [TILE_ROWS] * (len(OUT) + 1) + [TILE_STEPS] * len(WEIGHTS)
    return shapes


def tell_shapes(code: Code, shapes: Value) -> None:
    """Before a thread's first product."""
    _call(code, "ldtilecfg", shapes)


def forget_shapes(code: Code) -> None:
    """After a thread's last product: it has less to keep when another thread takes its core."""
    _call(code, "tilerelease")


def multiply_tiles(
    code: Code, factors: Value, weights: Value, to: Value, *, steps: int, columns: int
) -> None:
    """to = (TILE_ROWS, columns vectors) float32 sums of factors of consecutive rows · a panel.

    steps: of four bytes of a row's factors, a multiple of TILE_STEPS.
    """
    for begin in range(0, columns, len(OUT)):
        of_group = range(begin, min(begin + len(OUT), columns))
        for out, _ in zip(OUT, of_group, strict=False):
            _call(code, "tilezero", I8(out))
        for step in range(0, steps, TILE_STEPS):
            at = code.at(factors, step, 4)
            _call(code, "tileloadd64", I8(FACTORS), at, I64(steps * 4))
            for out, column in zip(OUT, of_group, strict=False):
                tile = WEIGHTS[out % len(WEIGHTS)]
                at = code.at(weights, step * columns + column, ROW_BYTES)
                _call(code, "tileloadd64", I8(tile), at, I64(columns * ROW_BYTES))
                _call(code, "tdpbf16ps", I8(out), I8(FACTORS), I8(tile))
        for out, column in zip(OUT, of_group, strict=False):
            at = code.at(to, column, ROW_BYTES)
            _call(code, "tilestored64", I8(out), at, I64(columns * ROW_BYTES))


def sum_by_tiles(
    code: Code,
    to: Value,
    left: Value,
    left_vectors: int,
    right: Value,
    right_vectors: int,
    turned: Value,
) -> None:
    """to[i, j] += sum over 2 · TILE_STEPS rows of left[row, i] · right[row, j]; `to` is float32.

    left, right: pairs of rows, number by number; turned: room for a tile.
    """
    out, factors, other = WEIGHTS
    lanes = ROW_BYTES // 4
    for of_left in range(left_vectors):
        rows = [
            code.load(
                ir.VectorType(I32, lanes),
                code.at(left, pair * left_vectors + of_left, ROW_BYTES),
            )
            for pair in range(TILE_STEPS)
        ]
        for i, row in enumerate(_exchanged(code, rows)):
            code.store(row, code.at(turned, i, ROW_BYTES))
        _call(code, "tileloadd64", I8(factors), turned, I64(ROW_BYTES))
        for of_right in range(right_vectors):
            stride = I64(right_vectors * ROW_BYTES)
            place = code.at(to, of_left * lanes * right_vectors + of_right, ROW_BYTES)
            _call(code, "tileloadd64", I8(out), place, stride)
            _call(code, "tileloadd64", I8(other), code.at(right, of_right, ROW_BYTES), stride)
            _call(code, "tdpbf16ps", I8(out), I8(factors), I8(other))
            _call(code, "tilestored64", I8(out), place, stride)


def _exchanged(code: Code, rows: Sequence[Value]) -> list[Value]:
    """A square matrix of 32-bit numbers, its rows and columns exchanged: halves, quarters, …"""
    size, found = len(rows), list(rows)
    for half in (1 << bit for bit in range(size.bit_length() - 1)):
        for i in range(size):
            if i & half:
                continue
            one, other = found[i], found[i | half]
            first = [j if not j & half else size + (j ^ half) for j in range(size)]
            second = [j | half if not j & half else size + j for j in range(size)]
            found[i], found[i | half] = (
                code.builder.shuffle_vector(
                    one, other, ir.Constant(ir.VectorType(I32, size), [I32(j) for j in places])
                )
                for places in (first, second)
            )
    return found


def _call(code: Code, name: str, *arguments: Value) -> None:
    module, full = code.builder.module, f"llvm.x86.{name}"
    function = module.globals.get(full)
    if function is None:
        kinds: Sequence[ir.Type] = [argument.type for argument in arguments]
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), full)
    code.builder.call(function, arguments)
