"""The bundles that serve at one moment. A value: a reload makes another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from export.manifest import Efforts, Manifest
from server.choice import Choice, NotServedError
from server.lane import Lane
from server.tasks.catalog import TaskRows


class ReloadRunningError(Exception):
    """Bundles are being reloaded already."""

    def __init__(self) -> None:
        super().__init__("bundles are being reloaded already; try again when that has ended")


class ReloadFailedError(Exception):
    """Bundles could not be reloaded; the message names the bundle and what is wrong with it."""


@dataclass(frozen=True)
class OpenBundle:
    """A bundle with its lanes open and warm, and the tasks that it knows.

    raw: bytes of the manifest, and so of all that it vouches for.
    """

    path: Path
    raw: bytes
    manifest: Manifest
    lanes: tuple[Lane, ...]
    tasks: tuple[TaskRows, ...] = ()

    @property
    def name(self) -> str:
        """Of the model, as requests give it."""
        return self.manifest.name

    def efforts(self, puzzle: str) -> Efforts:
        """What a puzzle may cost, as the manifest declares."""
        return next(g.efforts for g in self.manifest.graphs if g.spec.name == puzzle)


@final
class Loaded:
    """Open bundles in the order of the settings: the first that serves a puzzle is its default."""

    def __init__(self, bundles: Sequence[OpenBundle]) -> None:
        """Their names differ."""
        self.bundles = tuple(bundles)
        self._by_name = {bundle.name: bundle for bundle in bundles}
        self._lanes: dict[str, dict[str, Lane]] = {}  # by puzzle, then by model
        for bundle in bundles:
            for lane in bundle.lanes:
                self._lanes.setdefault(lane.name, {})[bundle.name] = lane

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the bundles."""
        return tuple(self._by_name)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Of all bundles."""
        return tuple(lane for bundle in self.bundles for lane in bundle.lanes)

    @property
    def defaults(self) -> dict[str, str]:
        """By puzzle: the model that answers where a request names none."""
        return {puzzle: next(iter(lanes)) for puzzle, lanes in self._lanes.items()}

    def choice(self, model: str | None) -> Choice:
        """What a request that names this model, or none, means here."""
        return Choice(model, self.models)

    def lane(self, puzzle: str, model: str | None = None) -> Lane:
        """What solves a puzzle. Raises: NotServedError, UnknownModelError."""
        lanes = self._lanes.get(puzzle, {})
        if not lanes and (model is None or model in self._by_name):
            raise NotServedError(f"no bundle for {puzzle} is loaded; {', '.join(self._lanes)} are")
        return self.choice(model).of(lanes, puzzle)

    def efforts(self, lane: Lane) -> Efforts:
        """What a puzzle may cost on one of the lanes."""
        return self._by_name[lane.model].efforts(lane.name)
