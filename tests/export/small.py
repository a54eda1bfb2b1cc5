"""Bundles of small networks."""

from pathlib import Path

from export.bundle import export_bundle
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from tests.model.small import save_small

PARITY_PUZZLES = 40


def export_small(trm: TinyRecursiveModel, directory: Path, *also: PuzzleSpec) -> Path:
    """Write `directory`/bundle, for the sizes of `also` too, and `directory`/checkpoint."""
    checkpoint = save_small(trm, directory / "checkpoint")
    export_bundle(checkpoint, directory / "bundle", parity_puzzles=PARITY_PUZZLES, also=also)
    return directory / "bundle"
