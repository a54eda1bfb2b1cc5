"""When a request is sent again, and after how long. Pure: it waits for nothing itself."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tenacity import (
    AttemptManager,
    RetryCallState,
    Retrying,
    retry_if_exception,
)

from client.errors import ConnectionFailedError, PonderError, ProblemError, TimedOutError

log = logging.getLogger(__name__)

# Refused before anything was done; 502 is what a proxy says while the server behind it restarts.
ASK_AGAIN = frozenset({429, 502, 503})


@dataclass(frozen=True)
class Retries:
    """How stubborn a client is.

    attempts: of one request, the first one included; 1 never asks again. total_s: for all of them
    and the waits between. The wait doubles from first_wait_s, half of it at random, up to
    longest_wait_s, which bounds what `Retry-After` asks for too.
    """

    attempts: int = 6
    total_s: float = 900.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0


RETRIES, NO_RETRIES = Retries(), Retries(attempts=1)


def attempts(
    retries: Retries,
    *,
    repeatable: bool,
    seconds_left: Callable[[], float],
    random: Callable[[], float],
    sleep: Callable[[float], None],
) -> Iterator[AttemptManager]:
    """Attempts at one request, until one succeeds or none may follow; the last error is raised.

    repeatable: whether a request that may have arrived may be sent again. random: in 0..1.
    sleep: told how long to wait before the next attempt.
    """

    def worth_it(error: BaseException) -> bool:
        return isinstance(error, PonderError) and may_repeat(error, repeatable=repeatable)

    def wait_s(state: RetryCallState) -> float:
        assert state.outcome is not None
        return waiting_s(retries, state.attempt_number, state.outcome.exception(), random())

    def enough(state: RetryCallState) -> bool:
        return state.attempt_number >= retries.attempts or state.upcoming_sleep >= seconds_left()

    return iter(
        Retrying(
            retry=retry_if_exception(worth_it),
            wait=wait_s,
            stop=enough,
            before_sleep=_log_wait,
            sleep=sleep,
            reraise=True,
        )
    )


def may_repeat(error: PonderError, *, repeatable: bool) -> bool:
    """Whether asking again makes sense, and does no harm."""
    match error:
        case ProblemError():
            return repeatable and error.status in ASK_AGAIN
        case ConnectionFailedError():
            return repeatable or not error.sent
        case TimedOutError():
            return not error.sent  # the server is at it; asking again would make it do it twice
        case _:
            return False


def waiting_s(retries: Retries, attempt: int, error: BaseException | None, random: float) -> float:
    """Seconds between `attempt`, from 1, which ended in `error`, and the next one."""
    if isinstance(error, ProblemError) and error.retry_after_s is not None:
        return min(retries.longest_wait_s, error.retry_after_s)
    doubled = min(retries.longest_wait_s, retries.first_wait_s * 2.0 ** (attempt - 1))
    return doubled * (0.5 + 0.5 * random)


def _log_wait(state: RetryCallState) -> None:
    assert state.outcome is not None
    told = {"wait_s": state.upcoming_sleep, "attempt": state.attempt_number}
    log.info("asking again", extra=told | {"error": str(state.outcome.exception())})
