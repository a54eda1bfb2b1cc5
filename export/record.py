"""Measured accuracy, put into a bundle's manifest."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from export.errors import ExportError
from export.manifest import Accuracy, Manifest


def read_accuracy(path: Path) -> tuple[Accuracy, ...]:
    """A JSON list of `Accuracy` objects. Raises: ExportError."""
    try:
        return TypeAdapter(tuple[Accuracy, ...]).validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ExportError(f"{path}: no such file") from error
    except ValidationError as error:
        raise ExportError(f"{path}: {error}") from error


def record_accuracy(bundle: Path, measured: Sequence[Accuracy]) -> Manifest:
    """Add figures to a bundle's manifest; one of the same data and budget is replaced.

    Raises: BundleError if the bundle is damaged.
    """
    manifest = Manifest.read(bundle)
    figures = {_budget(figure): figure for figure in (*manifest.accuracy, *measured)}
    updated = manifest.model_copy(update={"accuracy": tuple(figures.values())})
    updated.write(bundle)
    return updated


def _budget(figure: Accuracy) -> tuple[str, int, int]:
    return figure.data, figure.supervision_steps, figure.attempts
