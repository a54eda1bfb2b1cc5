"""How much a puzzle may cost: as the request says, as its effort says, within the limits."""

from dataclasses import dataclass

from export.manifest import Effort, Efforts
from server.policy import Budget
from server.schemas import SolveRequest


class LimitExceededError(Exception):
    """A request asks for more than the server's settings allow; `field` names what."""

    def __init__(self, field: str, asked: float, limit: float) -> None:
        super().__init__(f"{field} is {asked:g}, this server allows up to {limit:g}")
        self.field = field


@dataclass(frozen=True)
class BudgetRules:
    """What a request gets that asks for nothing, and the most that one may ask for.

    max_steps, attempts: in place of the default effort's, where the operator has set them.
    """

    max_steps: int | None
    attempts: int | None
    max_steps_limit: int
    attempts_limit: int
    effort: Effort = "standard"

    def budget(self, request: SolveRequest, efforts: Efforts, arrived_s: float) -> Budget:
        """What this request may spend; numbers of its own go before its effort.

        A request must not ask for more than the limits; an effort is only cut down to them.
        Raises: LimitExceededError.
        """
        level = efforts.of(request.effort or self.effort)
        max_steps, attempts = level.max_steps, level.attempts
        if request.effort is None:
            max_steps, attempts = self.max_steps or max_steps, self.attempts or attempts
        max_steps = _within("max_steps", request.max_steps, max_steps, self.max_steps_limit)
        attempts = _within("attempts", request.attempts, attempts, self.attempts_limit)
        if request.deadline_ms is None:
            return Budget(max_steps, attempts)
        return Budget(max_steps, attempts, arrived_s + request.deadline_ms / 1000)

    def one_attempt(
        self, asked: int | None, otherwise: int, deadline_ms: int | None, arrived_s: float
    ) -> Budget:
        """A single attempt of the supervision steps asked for. Raises: LimitExceededError."""
        max_steps = _within("max_steps", asked, otherwise, self.max_steps_limit)
        if deadline_ms is None:
            return Budget(max_steps, attempts=1)
        return Budget(max_steps, 1, arrived_s + deadline_ms / 1000)


def _within(field: str, asked: int | None, otherwise: int, limit: int) -> int:
    """Raises: LimitExceededError."""
    if asked is None:
        return min(otherwise, limit)
    if asked > limit:
        raise LimitExceededError(field, asked, limit)
    return asked
