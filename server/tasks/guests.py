"""Lanes of tasks that were learnt here: opened when asked for, the least recently used forgotten.

Each has an onnxruntime session of its own (docs/adr/0010). Jobs hold on to their lane, so one that
is forgotten here ends when its last row has left.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import final

from server.lane import Lane


@final
class GuestLanes:
    """At most `capacity` open lanes by task. From any thread."""

    def __init__(self, open_lane: Callable[[str], Lane], capacity: int) -> None:
        self._open_lane = open_lane
        self._capacity = capacity
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._lock = threading.Lock()

    def lane(self, task_id: str) -> Lane:
        """Open it, if it is not: that takes a tenth of a second. Raises: BundleError."""
        with self._lock:
            lane = self._lanes.get(task_id)
            if lane is None:
                lane = self._lanes[task_id] = self._open_lane(task_id)
            self._lanes.move_to_end(task_id)
            while len(self._lanes) > self._capacity:
                self._lanes.popitem(last=False)
            return lane

    def forget(self, task_id: str) -> None:
        """The task is gone."""
        with self._lock:
            self._lanes.pop(task_id, None)
