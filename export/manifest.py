"""The manifest of a bundle: what the server believes about the graphs beside it.

A bundle is a directory: `manifest.json` and one step graph per puzzle size, all of the same
weights (a lattice serves every size; the other cells have one graph); a lattice's also has its
weights in a file for the compiled kernel. pydantic only: the server
imports this module and nothing else of the package.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from puzzles.kind import PuzzleSpec
from puzzles.restarts import Restart

FORMAT_VERSION = 2
MANIFEST_FILE = "manifest.json"


Precision = Literal["float32", "int8"]
Effort = Literal["low", "standard", "max"]


# Of a file in the bundle itself: a manifest cannot name one elsewhere.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]


class BundleError(Exception):
    """A bundle that cannot be trusted: missing, damaged, or not what its manifest says."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ParityReport(_Frozen):
    """Whole solves of PyTorch and another runtime side by side, float32."""

    puzzles: int
    supervision_steps: int
    same_answers: int
    same_steps: int
    largest_q_halt_difference: float


class Accuracy(_Frozen):
    """One measured figure: which data, which budget, what came out (shares in 0..1)."""

    data: str
    puzzles: int
    supervision_steps: int
    attempts: int
    exact: float
    verified: float | None


class EffortBudget(_Frozen):
    """What a puzzle may cost: attempts of so many supervision steps each."""

    max_steps: int = Field(gt=0)
    attempts: int = Field(gt=0)


class Efforts(_Frozen):
    """Budgets by level of effort; the defaults are of bundles that declare none."""

    low: EffortBudget = EffortBudget(max_steps=16, attempts=4)
    standard: EffortBudget = EffortBudget(max_steps=16, attempts=64)
    max: EffortBudget = EffortBudget(max_steps=16, attempts=256)

    def of(self, effort: Effort) -> EffortBudget:
        """The budget of one level."""
        return {"low": self.low, "standard": self.standard, "max": self.max}[effort]


class GraphEntry(_Frozen):
    """One step graph: the puzzle it answers, its file and its state shape.

    dtype: of the carry; precision: of the factors of its large matrix products; efforts: what the
    puzzle may cost, by what was measured.
    """

    spec: PuzzleSpec
    file: FileName
    sha256: str
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    precision: Precision = "float32"
    state_len: int = Field(gt=0)  # L of the carry (B, L, D)
    hidden_size: int = Field(gt=0)  # D of the carry
    parity: ParityReport
    efforts: Efforts = Efforts()


class KernelEntry(_Frozen):
    """The weights as the compiled kernel reads them, for every graph's puzzle (docs/adr/0006).

    parity: by puzzle, whole solves of PyTorch and the kernel side by side, float32.
    """

    file: FileName
    sha256: str
    parity: dict[str, ParityReport]


class TaskTable(_Frozen):
    """The tasks that a bundle has embeddings of (puzzles.known_tasks), `variants` rows each.

    checkpoint: directory with the weights themselves, from which new tasks are adapted to;
    voters: further networks that know these tasks, whose answers count like those of `graphs`.
    """

    file: FileName
    sha256: str
    tasks: int = Field(gt=0)
    variants: int = Field(gt=0)
    checkpoint: FileName
    voters: tuple[GraphEntry, ...] = ()


class SourceCheckpoint(_Frozen):
    """Where the weights came from."""

    name: str
    sha256: str
    optimizer_steps: int
    weights: Literal["ema", "raw"] = "ema"


class NamedFile(NamedTuple):
    """A file of a bundle, and the SHA-256 of its bytes."""

    file: str
    sha256: str


class Manifest(_Frozen):
    """Everything a server needs to know of a bundle."""

    format_version: int = FORMAT_VERSION
    name: str
    cell: str
    opset: int
    parameters: int
    latent_recursions: int
    deep_recursions: int
    trained_supervision_steps: int
    source: SourceCheckpoint
    restart: Restart
    graphs: tuple[GraphEntry, ...] = Field(min_length=1)
    kernel: KernelEntry | None = None  # lattices only
    tasks: TaskTable | None = None
    accuracy: tuple[Accuracy, ...] = ()

    @property
    def files(self) -> tuple[NamedFile, ...]:
        """Every file that the manifest vouches for."""
        kernel = () if self.kernel is None else (self.kernel,)
        tasks = () if self.tasks is None else (self.tasks,)
        named = (*self.graphs, *kernel, *tasks, *self.voters)
        return tuple(NamedFile(one.file, one.sha256) for one in named)

    @property
    def voters(self) -> tuple[GraphEntry, ...]:
        """Step graphs of the further networks that know the bundle's tasks."""
        return () if self.tasks is None else self.tasks.voters

    @classmethod
    def read(cls, bundle: Path) -> "Manifest":
        """Read and check `bundle`/manifest.json and the hash of each file that it names.

        Raises: BundleError naming the file and what is wrong with it.
        """
        manifest = cls.parse(bundle)
        for named in manifest.files:
            _check_hash(bundle / named.file, named.sha256)
        return manifest

    @classmethod
    def parse(cls, bundle: Path) -> "Manifest":
        """Read and check `bundle`/manifest.json alone. Raises: BundleError."""
        path = bundle / MANIFEST_FILE
        try:
            manifest = cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            what = "no such file; a bundle is a directory with a manifest"
            raise BundleError(f"{path}: {what}") from error
        except OSError as error:
            raise BundleError(f"{path}: {error.strerror}") from error
        except ValidationError as error:
            raise BundleError(f"{path}: {error}") from error
        if manifest.format_version != FORMAT_VERSION:
            raise BundleError(
                f"{path}: format version {manifest.format_version}, expected {FORMAT_VERSION}"
            )
        return manifest

    def write(self, bundle: Path) -> None:
        """Write manifest.json aside and rename it: the manifest goes last."""
        aside = bundle / f"{MANIFEST_FILE}.partial"
        aside.write_text(self.model_dump_json(indent=1) + "\n")
        aside.replace(bundle / MANIFEST_FILE)


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_hash(path: Path, expected: str) -> None:
    try:
        found = file_sha256(path)
    except FileNotFoundError as error:
        what = "the manifest names it, but there is no such file"
        raise BundleError(f"{path}: {what}") from error
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    if found != expected:
        raise BundleError(f"{path}: sha256 {found}, but the manifest says {expected}")
