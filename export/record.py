"""What was measured after an export, put into a bundle's manifest: accuracy, efforts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from export.errors import ExportError
from export.manifest import Accuracy, Efforts, Manifest

FormT = TypeVar("FormT")


def read_accuracy(path: Path) -> tuple[Accuracy, ...]:
    """A JSON list of `Accuracy` objects. Raises: ExportError."""
    return _read(path, TypeAdapter(tuple[Accuracy, ...]))


def read_efforts(path: Path) -> dict[str, Efforts]:
    """A JSON object of efforts by puzzle, as `sudoku-9x9`. Raises: ExportError."""
    return _read(path, TypeAdapter(dict[str, Efforts]))


def _read(path: Path, form: TypeAdapter[FormT]) -> FormT:
    try:
        return form.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ExportError(f"{path}: no such file") from error
    except ValidationError as error:
        raise ExportError(f"{path}: {error}") from error


def record_efforts(bundle: Path, efforts: Mapping[str, Efforts]) -> Manifest:
    """Declare what puzzles may cost in a bundle's manifest; the others keep what they have.

    Raises: BundleError if the bundle is damaged; ExportError if it has no such puzzle.
    """
    manifest = Manifest.read(bundle)
    names = [graph.spec.name for graph in manifest.graphs]
    for name in efforts:
        if name not in names:
            raise ExportError(f"{bundle}: no graph for {name}; it has {', '.join(names)}")
    graphs = tuple(
        graph.model_copy(update={"efforts": efforts.get(graph.spec.name, graph.efforts)})
        for graph in manifest.graphs
    )
    updated = manifest.model_copy(update={"graphs": graphs})
    updated.write(bundle)
    return updated


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
