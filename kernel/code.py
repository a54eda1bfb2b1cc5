"""What the kernel is written with: vectors, loops and memory of LLVM's intermediate code.

Knows nothing of networks. Each method adds instructions at the place where the builder stands; the
loops that Python runs are unrolled, those of `Code.loop` are loops of the compiled code.
"""

import math
from collections.abc import Sequence
from typing import final

import numpy as np
from llvmlite import ir

from kernel.isa import Isa
from kernel.loop_code import LoopCode
from kernel.values import F32, I8, I32, I64, POINTER, BFloatType, Value

# Sums may be taken in any order and fused; infinities and NaN stay what they are.
FREE = ("reassoc", "contract", "nsz", "arcp", "afn")
EXPONENT_BITS, EXPONENT_BIAS = 23, 127
# Nothing beside 1, and far from the numbers so small that CPUs take a hundred times as long.
LEAST_POWER = -64.0
CACHE_LINE = 64  # bytes


@final
class Code(LoopCode):
    """Writes one function's body."""

    def __init__(self, builder: ir.IRBuilder, isa: Isa) -> None:
        super().__init__(builder)
        self.isa = isa
        self.vector = ir.VectorType(F32, isa.lanes)
        self._bfloat16 = isa.precision == "bfloat16"
        self._pairs = ir.VectorType(BFloatType(), 2 * isa.lanes)

    # Numbers and addresses

    def number(self, value: int) -> Value:
        """A 64-bit integer."""
        return I64(value)

    def at(self, base: Value, index: Value, size: int) -> Value:
        """The address of element `index` of an array whose elements have `size` bytes."""
        offset = self.builder.mul(index, I64(size)) if isinstance(index, ir.Value) else index * size
        if not isinstance(offset, ir.Value):
            offset = I64(offset)
        return self.builder.gep(base, [offset], source_etype=I8)

    def load(self, kind: ir.Type, address: Value) -> Value:
        """A scalar or vector; vectors need no alignment."""
        return self.builder.load(address, typ=kind, align=4 if kind != I8 else 1)

    def store(self, value: Value, address: Value) -> None:
        """A scalar or vector, as `load` reads it."""
        self.builder.store(value, address, align=2 if value.type != I8 else 1)

    def prefetch(self, address: Value, size: int) -> None:
        """Ask for `size` bytes that will be read soon; they may lie beyond what is there."""
        name = "llvm.prefetch.p0"
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32])
        function = self.builder.module.globals.get(name) or ir.Function(
            self.builder.module, kind, name
        )
        for line in range(0, size, CACHE_LINE):
            # For reading, into the nearest cache, data.
            self.builder.call(function, [self.at(address, line, 1), I32(0), I32(3), I32(1)])

    def wide(self, address: Value) -> Value:
        """A 32-bit integer in memory as a 64-bit one."""
        return self.builder.sext(self.load(I32, address), I64)

    # Vectors of float32

    def constant(self, value: float) -> Value:
        """The same number in every lane."""
        return self.vector([F32(value)] * self.isa.lanes)

    def spread(self, scalar: Value) -> Value:
        """A scalar into every lane of a vector of its type."""
        vector = ir.VectorType(scalar.type, self.isa.lanes)
        first = self.builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, I32(0))
        mask = ir.Constant(ir.VectorType(I32, self.isa.lanes), [I32(0)] * self.isa.lanes)
        return self.builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), mask)

    def add(self, a: Value, b: Value) -> Value:
        return self.builder.fadd(a, b, flags=FREE)

    def subtract(self, a: Value, b: Value) -> Value:
        return self.builder.fsub(a, b, flags=FREE)

    def multiply(self, a: Value, b: Value) -> Value:
        return self.builder.fmul(a, b, flags=FREE)

    def divide(self, a: Value, b: Value) -> Value:
        return self.builder.fdiv(a, b, flags=FREE)

    def larger(self, a: Value, b: Value) -> Value:
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a · b + c."""
        return self.call("llvm.fmuladd", [a, b, c])

    def call(self, name: str, arguments: Sequence[Value], kind: ir.Type | None = None) -> Value:
        """An LLVM intrinsic; overloaded ones get their type's suffix unless `kind` is given."""
        result = kind or arguments[0].type
        full = name if kind else f"{name}.{_suffix(result)}"
        function = self.builder.module.globals.get(full) or ir.Function(
            self.builder.module, ir.FunctionType(result, [a.type for a in arguments]), full
        )
        return self.builder.call(function, arguments)

    def total(self, vector: Value) -> Value:
        """The sum of a vector's lanes, a scalar."""
        return self._of_lanes("fadd", [F32(0.0), vector])

    def largest(self, vector: Value) -> Value:
        """The largest of a vector's lanes, a scalar."""
        return self._of_lanes("fmax", [vector])

    def _of_lanes(self, operation: str, arguments: Sequence[Value]) -> Value:
        name = f"llvm.vector.reduce.{operation}.{_suffix(self.vector)}"
        function = self.builder.module.globals.get(name) or ir.Function(
            self.builder.module, ir.FunctionType(F32, [a.type for a in arguments]), name
        )
        return self.builder.call(function, arguments, fastmath=FREE)

    def swish(self, x: Value) -> Value:
        """x · sigmoid(x)."""
        return self.divide(x, self.one_and_exponential(x))

    def one_and_exponential(self, x: Value) -> Value:
        """1 + e^(−x), which is 1 / sigmoid(x)."""
        power, scale = self._exponential(x, -1.0, 1.0 - EXPONENT_BIAS)
        return self.multiply_add(power, scale, self.constant(1.0))

    def exponential(self, x: Value) -> Value:
        """e^x, of x above −44; below, e^−44."""
        return self.multiply(*self._exponential(x, 1.0, LEAST_POWER))

    def _exponential(self, x: Value, sign: float, least: float) -> tuple[Value, Value]:
        """Two factors of e^(± x): 2^t, t at least `least`, by a polynomial and t's whole part."""
        bound = self.constant(EXPONENT_BIAS - 1.0)
        t = self.multiply(x, self.constant(sign * math.log2(math.e)))
        t = self.call("llvm.minnum", [t, bound])
        t = self.call("llvm.maxnum", [t, self.constant(least)])
        whole = self.call("llvm.rint", [t])
        part = self.subtract(t, whole)
        power = self.constant(0.0)
        # What bfloat16 rounds away need not be computed.
        for coefficient in reversed(_power_of_two(degree=3 if self._bfloat16 else 6)):
            power = self.multiply_add(power, part, self.constant(coefficient))
        integers = ir.VectorType(I32, self.isa.lanes)

        def lanes(value: int) -> Value:
            return integers([I32(value)] * self.isa.lanes)

        exponent = self.builder.add(self.builder.fptosi(whole, integers), lanes(EXPONENT_BIAS))
        scale = self.builder.bitcast(self.builder.shl(exponent, lanes(EXPONENT_BITS)), self.vector)
        return power, scale

    # Factors of matrix products: float32, or bfloat16 in pairs

    def store_factors(self, vector: Value, address: Value) -> None:
        """Store a vector in the precision that matrix products read."""
        if self._bfloat16:
            narrow = ir.VectorType(BFloatType(), self.isa.lanes)
            vector = self.builder.fptrunc(vector, narrow)
        self.store(vector, address)

    def load_factors(self, address: Value) -> Value:
        """What `store_factors` stored, as float32."""
        if not self._bfloat16:
            return self.load(self.vector, address)
        narrow = ir.VectorType(BFloatType(), self.isa.lanes)
        return self.builder.fpext(self.load(narrow, address), self.vector)

    @property
    def rows_are_factors(self) -> bool:
        """Whether a sum over rows reads what lies as factors do: then nothing is stored twice."""
        return not self._bfloat16

    @property
    def rows_in_factor(self) -> int:
        """How many rows a sum over rows takes at once."""
        return 2 if self._bfloat16 else 1

    def store_rows(self, rows: Sequence[Value], address: Value) -> None:
        """Store one vector of each of `rows_in_factor` rows for a sum over rows.

        rows: float32; a missing second one counts as zeros.
        """
        if not self._bfloat16:
            self.store(rows[0], address)
            return
        narrow = ir.VectorType(BFloatType(), self.isa.lanes)
        first, last = rows[0], rows[1] if len(rows) > 1 else self.constant(0.0)
        order = [lane + half for lane in range(self.isa.lanes) for half in (0, self.isa.lanes)]
        mask = ir.Constant(ir.VectorType(I32, len(order)), [I32(place) for place in order])
        pair = (self.builder.fptrunc(row, narrow) for row in (first, last))
        self.store(self.builder.shuffle_vector(*pair, mask), address)

    def factor(self, address: Value) -> Value:
        """One float32 factor, or one bfloat16 pair, in every lane."""
        if not self._bfloat16:
            return self.spread(self.load(F32, address))
        return self.builder.bitcast(self.spread(self.load(I32, address)), self._pairs)

    def multiply_factors(self, factor: Value, weights: Value, total: Value) -> Value:
        """total + factor · weights."""
        if not self._bfloat16:
            return self.multiply_add(factor, weights, total)
        name = "llvm.x86.avx512bf16.dpbf16ps.512"
        return self.call(name, [total, factor, weights], kind=self.vector)

    def weights(self, address: Value) -> Value:
        """A vector of weights: one input's, or a bfloat16 pair of inputs', of `lanes` outputs."""
        return self.load(self._pairs if self._bfloat16 else self.vector, address)


def _suffix(kind: ir.Type) -> str:
    return f"v{kind.count}f32" if isinstance(kind, ir.VectorType) else "f32"


def _power_of_two(degree: int) -> list[float]:
    """Coefficients of a polynomial near 2^t on −½ … ½, lowest first."""
    chebyshev = np.polynomial.Chebyshev.interpolate(np.exp2, degree, domain=[-0.5, 0.5])
    return [float(c) for c in chebyshev.convert(kind=np.polynomial.Polynomial).coef]
