"""An engine that waits at each supervision step until a test lets it go on."""

import threading
from typing import final

import numpy as np

from server.engine import Engine, StepAnswers, StepInputs

TIMEOUT_S = 10.0


class BrokenDeviceError(Exception):
    """What the engine raises when it is told to break."""


@final
class GatedEngine(Engine):
    """Answers every question with a fixed grid, once a test has called `let_go`."""

    def __init__(self, state_len: int, answer: np.ndarray) -> None:
        """answer: (S,) int32 tokens."""
        self._state_len = state_len
        self._answer = answer
        self._begun = threading.Semaphore(0)
        self._may_go = threading.Semaphore(0)
        self.is_open = False
        self.breaks = False
        self.seen: list[StepInputs] = []

    @property
    def runtime(self) -> str:
        return "gated"

    @property
    def state_len(self) -> int:
        return self._state_len

    def reset(self) -> None:
        self.seen.clear()

    def step(self, inputs: StepInputs) -> StepAnswers:
        self.seen.append(inputs)
        self._begun.release()
        if not self.is_open:
            assert self._may_go.acquire(timeout=TIMEOUT_S)
        if self.breaks:
            raise BrokenDeviceError("the device is gone")
        rows = len(inputs.tokens)
        return StepAnswers(np.tile(self._answer, (rows, 1)), np.zeros(rows, np.float32))

    def wait_for_step(self) -> StepInputs:
        """Block until another supervision step has begun; what it was given."""
        assert self._begun.acquire(timeout=TIMEOUT_S)
        return self.seen[-1]

    def let_go(self) -> None:
        """Let one supervision step end."""
        self._may_go.release()

    def open(self) -> None:
        """Let this and all later supervision steps end."""
        self.is_open = True
        self._may_go.release()
