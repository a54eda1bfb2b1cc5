"""An engine that does what a test tells it to: answer, or raise."""

import threading
from typing import final

import numpy as np

from server.engine import Engine, StepAnswers, StepInputs


@final
class FailingEngine(Engine):
    """Answers every question with a fixed grid, or raises `error`, for as long as one is set."""

    def __init__(self, answer: np.ndarray) -> None:
        """answer: (S,) int32 tokens."""
        self._answer = answer
        self.error: BaseException | None = None
        self.reset_error: Exception | None = None
        self.failed = threading.Semaphore(0)  # released at each failure

    @property
    def runtime(self) -> str:
        return "failing"

    @property
    def state_len(self) -> int:
        return len(self._answer)

    def reset(self) -> None:
        if self.reset_error is not None:
            raise self.reset_error

    def step(self, inputs: StepInputs) -> StepAnswers:
        if self.error is not None:
            self.failed.release()
            raise self.error
        rows = len(inputs.tokens)
        return StepAnswers(np.tile(self._answer, (rows, 1)), np.zeros(rows, np.float32))
