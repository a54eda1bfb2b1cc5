"""All puzzle kinds. A new kind is one file and one line here."""

from collections.abc import Mapping, Sequence

from puzzles.arc import ARCS
from puzzles.errors import UnknownKindError, UnsupportedShapeError
from puzzles.kind import PuzzleKind, RawGrid
from puzzles.sudoku import SUDOKUS

KINDS: Mapping[str, Sequence[PuzzleKind]] = {
    "sudoku": SUDOKUS,
    "arc": ARCS,
}


def variants(kind: str) -> Sequence[PuzzleKind]:
    """Every size of a kind. Raises: UnknownKindError."""
    if kind not in KINDS:
        raise UnknownKindError(f"unknown puzzle kind {kind!r}; known kinds: {', '.join(KINDS)}")
    return KINDS[kind]


def by_name(name: str) -> PuzzleKind:
    """The variant whose `spec.name` is `name`, e.g. `sudoku-9x9`. Raises: UnknownKindError."""
    for sizes in KINDS.values():
        for variant in sizes:
            if variant.spec.name == name:
                return variant
    known = ", ".join(variant.spec.name for sizes in KINDS.values() for variant in sizes)
    raise UnknownKindError(f"unknown puzzle {name!r}; known puzzles: {known}")


def select(kind: str, raw: RawGrid) -> PuzzleKind:
    """The first variant of `kind` that `raw` fits.

    Raises: UnknownKindError, UnsupportedShapeError.
    """
    sizes = variants(kind)
    for variant in sizes:
        if variant.fits(raw):
            return variant
    got = f"{len(raw.strip())} characters" if isinstance(raw, str) else f"{len(raw)} rows"
    known = ", ".join(f"{v.spec.height}×{v.spec.width}" for v in sizes)
    raise UnsupportedShapeError(f"{got} fit no {kind}; sizes are {known}")
