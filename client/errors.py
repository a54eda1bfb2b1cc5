"""What can go wrong when a server is asked. `PonderError` is the root of all of it."""

from client.schemas import Fault, Problem


class PonderError(Exception):
    """Anything that this package raises on purpose."""


class InvalidInputError(PonderError, ValueError):
    """An argument that could not be sent: it never left this process."""


class ConnectionFailedError(PonderError):
    """There was no answer: nobody listens, or the connection broke.

    sent: whether the request may have arrived.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOutError(PonderError):
    """No answer in time. sent: whether the request may have arrived."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class MalformedResponseError(PonderError):
    """An answer that is not what the API promises: another server, or another version of it."""


class ResultsMismatchError(PonderError):
    """A file that a download should go on with, and that holds something else."""


class ProblemError(PonderError):
    """The server refused. `code` is stable, `detail` is for people, `errors` names single faults.

    retry_after_s: when to ask again, where the server says so. Responses that are no problem
    documents (a proxy's page) have a code like `http_502`.
    """

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}")
        self.problem = problem
        self.retry_after_s = retry_after_s

    @property
    def code(self) -> str:
        """The stable name of what is wrong."""
        return self.problem.code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def detail(self) -> str:
        """What is wrong, for people."""
        return self.problem.detail

    @property
    def errors(self) -> tuple[Fault, ...]:
        """Single faults: cells by row and column from 1, or fields of the request."""
        return self.problem.errors or ()
