"""What the kernel may use of a CPU."""

import ctypes
import functools
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import llvmlite.binding as llvm

Precision = Literal["float32", "bfloat16"]  # of the factors of matrix products; sums are float32

BFLOAT16_LANES = 16  # of the one instruction that the kernel has for it
ARCH_PRCTL, REQUEST_STATE, TILE_DATA = 158, 0x1023, 18  # Linux on x86-64: asm/prctl.h


class UnsupportedError(Exception):
    """This CPU, or this network, is none that the kernel can be compiled for."""


@dataclass(frozen=True)
class Isa:
    """lanes: float32 numbers in a vector; registers: vectors that the CPU holds at once.

    tiles: whether it multiplies matrices of bfloat16, too (AMX): far faster than vectors of them.
    """

    lanes: int
    registers: int
    precision: Precision = "float32"
    tiles: bool = False

    @property
    def factor_bytes(self) -> int:
        """Size of one factor of a matrix product."""
        return 2 if self.precision == "bfloat16" else 4


def multiplies_bfloat16() -> bool:
    """Whether this CPU has an instruction for it; without, libraries emulate it, slowly."""
    features = llvm.get_host_cpu_features()
    return any(features.get(name) for name in ("avx512bf16", "amx-bf16", "bf16"))


def _has_tiles() -> bool:
    features = llvm.get_host_cpu_features()
    return bool(features.get("amx-tile") and features.get("amx-bf16"))


@functools.cache
def may_use_tiles() -> bool:
    """Whether the CPU has AMX and the system lets this process, and those it starts, use it.

    Linux wants to be asked, once, before threads begin: each keeps 8 KiB more.
    """
    if sys.platform != "linux" or not _has_tiles():
        return False
    return bool(ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST_STATE, TILE_DATA) == 0)


def host_isa(precision: Precision | None = None, *, sizes: Collection[int] = ()) -> Isa:
    """This machine's, with vectors that divide all of `sizes`.

    precision: unset, bfloat16 where the CPU is fast with it: it has a dot product of bfloat16
    pairs, and if it has AMX, too, this process may use that.
    Raises: UnsupportedError if bfloat16 is asked for and cannot be had.
    """
    features = llvm.get_host_cpu_features()
    # Narrower registers than these: LLVM makes one vector of several of them.
    lanes, registers = (16, 32) if features.get("avx512f") else (8, 16)
    has_bfloat16 = bool(features.get("avx512bf16"))
    while any(size % lanes for size in sizes) and lanes > 1:
        lanes //= 2
    tiles = may_use_tiles()
    # CPUs with AMX take longer for vectors of bfloat16 than for float32.
    wanted = precision == "bfloat16" or (precision is None and (tiles or not _has_tiles()))
    if has_bfloat16 and lanes == BFLOAT16_LANES and wanted:
        return Isa(lanes, registers, "bfloat16", tiles=tiles)
    if precision == "bfloat16":
        lacking = f"sizes {sorted(sizes)} of 16s" if has_bfloat16 else "a CPU with AVX512-BF16"
        raise UnsupportedError(f"bfloat16 needs {lacking}; float32 runs everywhere")
    return Isa(lanes, registers)
