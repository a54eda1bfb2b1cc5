"""Memory that compiled code works on."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import numpy.typing as npt

from kernel.job import Field

ALIGNMENT = 64  # bytes: a cache line, and the widest vector

Bytes = npt.NDArray[np.uint8]


def aligned(size: int) -> Bytes:
    """Zeroed bytes that begin at a cache line."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % ALIGNMENT
    return raw[skip : skip + size]


@final
class JobTable:
    """The table that one thread works by, and what it keeps alive."""

    def __init__(self) -> None:
        self._table = np.zeros(1 + max(Field), np.int64)
        self._kept: dict[Field, npt.NDArray[Any]] = {}
        self.address: int = self._table.ctypes.data

    def own(self, arrays: Mapping[Field, npt.NDArray[Any]]) -> None:
        """Point at arrays that live as long as the table."""
        self._kept.update(arrays)
        self.point_at(arrays)

    def point_at(self, arrays: Mapping[Field, npt.NDArray[Any]]) -> None:
        """Put addresses of arrays into the table; the caller keeps them alive."""
        for field, array in arrays.items():
            self._table[field] = array.ctypes.data

    def set(self, field: Field, number: int) -> None:
        """Put a number into the table."""
        self._table[field] = number

    def set_all(self, numbers: Mapping[Field, int]) -> None:
        """Put numbers into the table."""
        for field, number in numbers.items():
            self.set(field, number)

    def at(self, field: Field) -> int:
        """What the table has there."""
        return int(self._table[field])
