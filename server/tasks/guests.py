"""Lanes of tasks that were learnt here: opened when asked for, the least recently used forgotten.

Each network has an onnxruntime session of its own (docs/adr/0010). Jobs hold on to their lane, so
one that is forgotten here ends when its last row has left.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import final

from server.lane import Lane


@final
class GuestLanes:
    """Open lanes of at most `capacity` tasks. From any thread."""

    def __init__(self, open_lanes: Callable[[str], tuple[Lane, ...]], capacity: int) -> None:
        self._open_lanes = open_lanes
        self._capacity = capacity
        self._lanes: OrderedDict[str, tuple[Lane, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def lanes(self, task_id: str) -> tuple[Lane, ...]:
        """Open them, if they are not: that takes a tenth of a second each. Raises: BundleError."""
        with self._lock:
            lanes = self._lanes.get(task_id)
            if lanes is None:
                lanes = self._lanes[task_id] = self._open_lanes(task_id)
            self._lanes.move_to_end(task_id)
            while len(self._lanes) > self._capacity:
                self._lanes.popitem(last=False)
            return lanes

    def forget(self, task_id: str) -> None:
        """The task is gone."""
        with self._lock:
            self._lanes.pop(task_id, None)
