"""Which of the loaded bundles answers a request: the one that it names, or the first that can."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class NotServedError(Exception):
    """A puzzle or task that exists, but for which no bundle is loaded, or not the one asked for."""


class UnknownModelError(Exception):
    """No loaded bundle has the name that a request gives."""

    def __init__(self, model: str, loaded: tuple[str, ...]) -> None:
        super().__init__(f"no model {model!r} is loaded; loaded: {', '.join(loaded)}")


@dataclass(frozen=True)
class Choice:
    """What a request says of the model that shall answer. loaded: the names of all there are."""

    model: str | None = None
    loaded: tuple[str, ...] = ()

    def of(self, candidates: Mapping[str, T], what: str) -> T:
        """The one of those that can answer, by their models' names, best first, at least one.

        what: the puzzle or task, for people. Raises: UnknownModelError, NotServedError.
        """
        if self.model is None:
            return next(iter(candidates.values()))
        if self.model in candidates:
            return candidates[self.model]
        if self.model not in self.loaded:
            raise UnknownModelError(self.model, self.loaded)
        raise NotServedError(
            f"the model {self.model} does not serve {what}; {', '.join(candidates)} would"
        )
