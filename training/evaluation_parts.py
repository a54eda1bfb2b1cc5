"""Solves of an evaluation's parts, kept on disk so that it can go on where it was interrupted."""

import json
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import final

import numpy as np

from training.evaluation_data import EvaluationData
from training.solves import EvaluationError, Solves

ABOUT_FILE = "about.json"
DEPTH, TRIES, SECONDS = "depth.", "tries.", "seconds"


@dataclass(frozen=True)
class PartSolves:
    """One part: solved in a single attempt, in several where these were asked for; wall time."""

    depth: Solves
    tries: Solves | None
    seconds: float


def fingerprint(data: EvaluationData, **about: str) -> str:
    """Text that differs where solves would: puzzles, and whatever else decides them."""
    puzzles = sha256(data.questions.tobytes() + data.answers.tobytes()).hexdigest()
    columns = ",".join(field.name for field in fields(Solves))
    told = about | {"data": data.name, "puzzles": puzzles, "columns": columns}
    return json.dumps(told, indent=1, sort_keys=True) + "\n"


@final
class PartStore:
    """A directory with a file for each finished part."""

    def __init__(self, directory: Path, about: str) -> None:
        """about: the evaluation's `fingerprint`.

        Raises: EvaluationError if the directory holds parts of another one.
        """
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / ABOUT_FILE
        if not path.exists():
            path.write_text(about)
        elif path.read_text() != about:
            raise EvaluationError(f"{directory}: holds parts of another evaluation, see {path}")

    def load(self, number: int) -> PartSolves | None:
        """A part by its number, None if it is not there."""
        path = self._path(number)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
        depth, tries = (
            {
                name.removeprefix(way): column
                for name, column in columns.items()
                if name.startswith(way)
            }
            for way in (DEPTH, TRIES)
        )
        return PartSolves(
            Solves(**depth), Solves(**tries) if tries else None, float(columns[SECONDS])
        )

    def save(self, number: int, part: PartSolves) -> None:
        """Keep a part: written aside and renamed."""
        columns = {DEPTH + name: column for name, column in vars(part.depth).items()}
        if part.tries is not None:
            columns |= {TRIES + name: column for name, column in vars(part.tries).items()}
        path = self._path(number)
        aside = path.with_name(f"{path.stem}.partial.npz")  # numpy insists on the ending
        np.savez_compressed(aside, **columns | {SECONDS: np.array(part.seconds)})
        aside.replace(path)

    def _path(self, number: int) -> Path:
        return self._directory / f"part-{number:04d}.npz"
