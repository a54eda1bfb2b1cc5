"""Puzzles and demonstrations as the JSON that goes over the wire. Pure."""

import json
import operator
from collections.abc import Iterable, Mapping
from typing import Any, Literal, SupportsIndex, TypeAlias, TypedDict, cast

from client.errors import InvalidInputError

# A line of characters, or rows of integers (0 = empty); rows of a NumPy array too.
AskedGrid: TypeAlias = str | Iterable[Iterable[SupportsIndex]]
# A grid, or a whole request with the fields of `POST /v1/solve`.
AskedPuzzle: TypeAlias = AskedGrid | Mapping[str, Any]


class SolveOptions(TypedDict, total=False):
    """What may be said of a puzzle beside its grid; None and nothing leave it to the server."""

    kind: str | None
    effort: Literal["low", "standard", "max"] | None
    max_steps: int | None
    attempts: int | None
    deadline_ms: int | None
    model: str | None


class Pair(TypedDict):
    """A demonstration of a task: rows of colours 0-9."""

    input: AskedGrid
    output: AskedGrid


def puzzle_request(asked: AskedPuzzle, options: SolveOptions) -> dict[str, Any]:
    """The request to solve a puzzle; what a mapping says itself goes before `options`."""
    request = {"kind": "sudoku"} | given(options)
    if not isinstance(asked, Mapping):
        return request | {"grid": plain_rows(asked)}
    own = dict(asked)
    if "grid" in own:
        own["grid"] = plain_rows(own["grid"])
    return request | own


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in options.items() if value is not None}


def plain_pairs(train: Iterable[Pair]) -> list[dict[str, Any]]:
    """Demonstrations with rows of plain integers."""
    pairs = list(train)
    if not all(isinstance(pair, Mapping) for pair in pairs):
        raise InvalidInputError('a demonstration is {"input": rows, "output": rows}')
    return [{side: plain_rows(grid) for side, grid in pair.items()} for pair in pairs]


def plain_rows(grid: object) -> Any:
    """Rows of plain integers; what is something else stays, and the server says what it is."""
    if isinstance(grid, str) or not isinstance(grid, Iterable):
        return grid
    return [_plain_row(row) for row in grid]


def json_bytes(value: object) -> bytes:
    """Raises: InvalidInputError for what JSON cannot say."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"cannot be sent as JSON: {error}") from error


def _plain_row(row: object) -> object:
    if isinstance(row, str) or not isinstance(row, Iterable):
        return row
    return [_plain_cell(cell) for cell in row]


def _plain_cell(cell: object) -> object:
    if isinstance(cell, bool):
        return cell
    try:
        return operator.index(cast("SupportsIndex", cell))
    except TypeError:
        return cell
