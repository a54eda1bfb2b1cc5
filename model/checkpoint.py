"""The checkpoint: a directory from which a model, or a whole training run, is rebuilt.

model.json          config, puzzle specs, optimizer steps, metrics, versions
ema.safetensors     averaged weights: what is evaluated, exported and served
voter-2.safetensors … of a further network that votes on the same tasks; and so on
raw.safetensors     the weights that training goes on with
tasks.json          the tasks that it has embeddings of, if any (puzzles.known_tasks)
resume.json         everything else of a training run; absent in imported checkpoints
resume.safetensors  … and the arrays in it

Arrays lie in pieces of at most 16 MiB. Written aside under another name, renamed when complete;
nothing in it is ever unpickled as code.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from model.config import ModelConfig
from model.pieces import read_pieces, write_in_pieces
from model.resume_state import pack, unpack
from model.trm import TinyRecursiveModel
from puzzles.kind import PuzzleSpec
from puzzles.known_tasks import KNOWN_TASKS_FILE, KnownTask, write_known_tasks

FORMAT_VERSION = 1
MODEL_FILE = "model.json"
RESUME_FILE = "resume.json"
RESUME_ARRAYS = "resume.safetensors"
OLD_RESUME_FILE = "resume.pt"  # of checkpoints before there were pieces
Weights = Literal["ema", "raw"]


class CheckpointError(Exception):
    """A checkpoint that is missing, damaged, or does not fit what it is asked for."""


class CheckpointInfo(BaseModel):
    """What model.json says.

    refuted_q: a halt logit below it says that a question has no solution, if that was trained.
    voters: of the further networks; where older checkpoints do not say, all are like `config`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    name: str
    config: ModelConfig
    specs: tuple[PuzzleSpec, ...] = Field(min_length=1)
    optimizer_steps: int = Field(ge=0)
    trained_supervision_steps: int = Field(gt=0)
    refuted_q: float | None = None
    voters: tuple[ModelConfig, ...] = ()
    metrics: dict[str, float] = {}
    versions: dict[str, str] = {}


def weights_file(directory: Path, weights: Weights) -> Path:
    """Where a checkpoint keeps its averaged or raw weights, in pieces if they are large."""
    return directory / f"{weights}.safetensors"


def voter_file(directory: Path, number: int) -> Path:
    """Where a checkpoint keeps the averaged weights of a further network, from number 2 on."""
    return directory / f"voter-{number}.safetensors"


def weights_sha256(directory: Path, weights: Weights) -> str:
    """Hex digest of a checkpoint's weights, the same however they are cut. Raises: OSError."""
    return hashlib.sha256(read_pieces(weights_file(directory, weights))).hexdigest()


def save_checkpoint(
    directory: Path,
    info: CheckpointInfo,
    *,
    ema: dict[str, Tensor],
    raw: dict[str, Tensor],
    resume: dict[str, Any] | None,
    known_tasks: Sequence[KnownTask] = (),
    voters: Sequence[TinyRecursiveModel] = (),
) -> None:
    """Write a new checkpoint directory. voters: further networks, whatever `info` says of them.

    Raises: FileExistsError rather than replace one.
    """
    if directory.exists():
        raise FileExistsError(f"{directory} exists; a checkpoint is never overwritten")
    aside = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    write_in_pieces(weights_file(aside, "ema"), save(_plain(ema)))
    write_in_pieces(weights_file(aside, "raw"), save(_plain(raw)))
    for number, voter in enumerate(voters, 2):
        write_in_pieces(voter_file(aside, number), save(_plain(voter.state_dict())))
    if resume is not None:
        tree, arrays = pack(resume)
        write_in_pieces(aside / RESUME_ARRAYS, save(arrays))
        (aside / RESUME_FILE).write_text(json.dumps(tree) + "\n")
    if known_tasks:
        write_known_tasks(aside / KNOWN_TASKS_FILE, known_tasks)
    said = info.model_copy(update={"voters": tuple(voter.config for voter in voters)})
    (aside / MODEL_FILE).write_text(said.model_dump_json(indent=1) + "\n")
    aside.rename(directory)


def copy_weights(checkpoint: Path, out: Path) -> None:
    """The averaged weights and what they are, without the rest of a run, as a new checkpoint."""
    out.mkdir(parents=True)
    kept = [checkpoint / MODEL_FILE, *checkpoint.glob("ema.safetensors*")]
    kept += checkpoint.glob("voter-*.safetensors*")
    tasks = checkpoint / KNOWN_TASKS_FILE
    for file in [*kept, *([tasks] if tasks.exists() else [])]:
        shutil.copyfile(file, out / file.name)


def read_info(directory: Path) -> CheckpointInfo:
    """Read model.json. Raises: CheckpointError."""
    path = directory / MODEL_FILE
    try:
        info = CheckpointInfo.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file; is this a checkpoint directory?") from error
    except ValidationError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if info.format_version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format version {info.format_version}, expected {FORMAT_VERSION}"
        )
    return info


def load_model(directory: Path, weights: Weights = "ema") -> TinyRecursiveModel:
    """Rebuild the model of a checkpoint, on the CPU, in evaluation mode.

    Raises: CheckpointError naming the file and every array that is missing, extra or misshapen.
    """
    info = read_info(directory)
    trm = TinyRecursiveModel(info.config, info.specs)
    load_weights(trm, weights_file(directory, weights))
    return trm.eval()


def load_voters(directory: Path) -> list[TinyRecursiveModel]:
    """The further networks of a checkpoint, mostly none. Raises: CheckpointError."""
    info = read_info(directory)
    configs = info.voters or (info.config,) * len([*directory.glob("voter-*.safetensors")])
    voters = [TinyRecursiveModel(config, info.specs).eval() for config in configs]
    for number, trm in enumerate(voters, 2):
        load_weights(trm, voter_file(directory, number))
    return voters


def load_weights(trm: TinyRecursiveModel, path: Path) -> None:
    """Fill a model from a safetensors file. Raises: CheckpointError."""
    arrays = _load_arrays(path)
    problems = mismatches(trm.state_dict(), arrays)
    if problems:
        raise CheckpointError(f"{path} does not fit model.json: {'; '.join(problems)}")
    trm.load_state_dict(arrays)


def mismatches(expected: dict[str, Tensor], found: dict[str, Tensor]) -> list[str]:
    """Every array that is missing, unknown or of another shape, in words."""
    problems = [f"{name} is missing" for name in expected.keys() - found.keys()]
    problems += [f"{name} is unknown" for name in found.keys() - expected.keys()]
    problems += [
        f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected.keys() & found.keys()
        if expected[name].shape != found[name].shape
    ]
    return sorted(problems)


def load_resume(directory: Path) -> dict[str, Any]:
    """The rest of a training run. Raises: CheckpointError."""
    path = directory / RESUME_FILE
    if (directory / OLD_RESUME_FILE).exists():
        return _load_old_resume(directory / OLD_RESUME_FILE)
    try:
        tree = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file; this run cannot be resumed") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged: {error}") from error
    arrays = _load_arrays(directory / RESUME_ARRAYS)
    try:
        state = unpack(tree, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged: {type(error).__name__}: {error}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: damaged: expected a dict of states")
    return state


def _load_old_resume(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise CheckpointError(f"{path}: damaged: {error}") from error
    return state


def _load_arrays(path: Path) -> dict[str, Tensor]:
    try:
        return load(read_pieces(path))
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename}: no such file") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged: {error}") from error


def _plain(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: array.detach().cpu().contiguous() for name, array in arrays.items()}
