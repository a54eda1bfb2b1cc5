"""What all problems of one code have in common; `server.errors` says which error is which."""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class ProblemClass:
    """A status, and a code that stays the same whatever the words are."""

    status: HTTPStatus
    code: str
    title: str
