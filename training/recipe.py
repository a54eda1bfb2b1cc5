"""A recipe: everything that decides a training run, from one TOML file, frozen and closed."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from model.config import ModelConfig
from puzzles.registry import by_name

LossName = Literal["stablemax", "softmax"]
OptimizerName = Literal["adamw", "adam_atan2", "muon"]


class RecipeError(ValueError):
    """A recipe that cannot be read, or says something it must not."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Frozen):
    """Where puzzles come from: a data set directory, or a stream of fresh ones."""

    path: Path | None = None
    split: str = "train"
    generate: bool = False
    extra_givens: tuple[int, int] = (0, 0)
    pool: int = Field(default=16_384, gt=0)  # generated puzzles held at once
    refresh_every: int = Field(default=100, gt=0)  # optimizer steps between fresh chunks
    weight: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if (self.path is None) != self.generate:
            raise ValueError("a source has either path = DIRECTORY or generate = true")
        low, high = self.extra_givens
        if not 0 <= low <= high:
            raise ValueError(f"extra_givens = [{low}, {high}]: expected [A, B] with 0 ≤ A ≤ B")
        return self


class Lane(_Frozen):
    """A rolling batch of one puzzle size, and the share of optimizer steps that it gets."""

    puzzle: str
    batch_size: int = Field(default=64, gt=0)
    share: float = Field(default=1.0, gt=0)
    augment: bool = False
    sources: tuple[Source, ...] = Field(min_length=1)
    validation: Path | None = None

    @field_validator("puzzle")
    @classmethod
    def _known(cls, puzzle: str) -> str:
        by_name(puzzle)
        return puzzle


class Loss(_Frozen):
    """Answer loss plus `q_weight` times the halting loss.

    undecided: what q's probability shall be while a question is neither solved nor refuted.
    """

    name: LossName = "stablemax"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    q_weight: float = Field(default=0.5, ge=0)
    undecided: float = Field(default=0.0, ge=0, lt=0.5)

    @model_validator(mode="after")
    def _smoothing_needs_softmax(self) -> "Loss":
        if self.label_smoothing and self.name != "softmax":
            raise ValueError("label_smoothing needs name = 'softmax'")
        return self


class Optimizer(_Frozen):
    """`muon` takes the matrices of the blocks with `muon_lr`; AdamW takes the rest."""

    name: OptimizerName = "adamw"
    lr: float = Field(default=1e-4, gt=0)
    muon_lr: float = Field(default=0.02, gt=0)
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(default=1.0, ge=0)
    clip: float = Field(default=1.0, ge=0)  # of the gradient's norm; 0: not at all


class TaskTraining(_Frozen):
    """How task embeddings are trained: only rows that a batch touches move.

    shift: share of rows whose grids lie elsewhere on the canvas than at its corner; averaged:
    whether the embeddings have a moving average too.
    """

    optimizer: Literal["sign_sgd", "adam"] = "adam"
    lr: float = Field(default=0.01, gt=0)
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(default=0.1, ge=0)
    shift: float = Field(default=0.5, ge=0, le=1)
    averaged: bool = True


class Schedule(_Frozen):
    """Learning rate over optimizer steps: linear warm-up, then constant, cosine or decay.

    decay: constant, and linearly down over the last `decay` of all steps (known as
    warm-up-stable-decay): a run may still be made longer until the last part begins.
    """

    name: Literal["constant", "cosine", "decay"] = "constant"
    warmup: int = Field(default=2000, ge=0)
    decay: float = Field(default=0.2, gt=0, le=1)  # share of all steps
    minimum: float = Field(default=0.0, ge=0, le=1)  # share of lr at the end


class Halting(_Frozen):
    """When a row leaves the rolling batch, and where its successor starts.

    chains: rows of a question, each with a start of its own, of which the best is trained
    (winner-take-all). The first starts as at inference, the others from noise.
    """

    max_supervision_steps: int = Field(default=16, gt=0)
    exploration: float = Field(default=0.1, ge=0, le=1)
    noise_share: float = Field(default=0.0, ge=0, le=1)  # rows that start from noise
    noise_scale: float = Field(default=0.5, ge=0)
    chains: int = Field(default=1, gt=0)


class Guesses(_Frozen):
    """Questions with guessed symbols as further givens, as the solving policy asks them.

    share: of fresh rows; count: how many guesses; wrong: share of these rows with a wrong guess.
    again: of the rows that come to nothing, so many are asked again with one more guess at where
    the network is in two minds, up to count[1] of them; right: how often that guess is right.
    """

    share: float = Field(default=0.0, ge=0, le=1)
    count: tuple[int, int] = (1, 6)
    wrong: float = Field(default=0.5, ge=0, le=1)
    again: float = Field(default=0.0, ge=0, le=1)
    right: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> "Guesses":
        low, high = self.count
        if not 1 <= low <= high:
            raise ValueError(f"count = [{low}, {high}]: expected [A, B] with 1 ≤ A ≤ B")
        return self


class Stop(_Frozen):
    """A run ends early once what it solves stays below `below` times its best.

    validations: for how many of them in a row.
    """

    below: float = Field(default=0.0, ge=0, lt=1)  # 0: never
    validations: int = Field(default=3, gt=0)


class Recipe(_Frozen):
    """A whole run."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    seed: int = 0
    optimizer_steps: int = Field(gt=0)
    start_from: Path | None = None  # checkpoint, run or bundle with the first weights
    model: ModelConfig
    lanes: tuple[Lane, ...] = Field(min_length=1)
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    tasks: TaskTraining = TaskTraining()
    schedule: Schedule = Schedule()
    halting: Halting = Halting()
    guesses: Guesses = Guesses()
    stop: Stop = Stop()
    ema_rate: float = Field(default=0.999, ge=0, lt=1)
    # bfloat16: of matrix products, and on a CPU that does not multiply it float32 all the same.
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    compile: bool = True
    runtime: Literal["auto", "kernel", "torch"] = "auto"  # auto: the kernel where it can be had
    log_every: int = Field(default=50, gt=0)
    save_every: int = Field(default=1000, gt=0)
    save_minutes: float | None = Field(default=None, gt=0)  # and whenever so long has passed
    validate_every: int = Field(default=2000, gt=0)
    validation_puzzles: int = Field(default=512, gt=0)

    @property
    def teaches_refutation(self) -> bool:
        """Whether the halt logit learns to tell questions that have no solution."""
        return bool(self.guesses.share or self.guesses.again)

    @model_validator(mode="after")
    def _one_lane_per_puzzle(self) -> "Recipe":
        puzzles = [lane.puzzle for lane in self.lanes]
        if len(set(puzzles)) < len(puzzles):
            raise ValueError(
                f"lanes {', '.join(puzzles)}: a puzzle has one lane, with many sources"
            )
        if self.model.cell != "lattice" and len(puzzles) > 1:
            raise ValueError(f"cell {self.model.cell!r} fits one puzzle, got {', '.join(puzzles)}")
        _check_chains(self)
        return self


def _check_chains(recipe: Recipe) -> None:
    """Raises: ValueError where several chains of a question do not fit the rest."""
    chains = recipe.halting.chains
    if chains == 1:
        return
    if recipe.teaches_refutation:
        raise ValueError(f"chains = {chains}: not together with guesses")
    if not recipe.halting.noise_scale:
        raise ValueError(f"chains = {chains}: without noise they would all be the same")
    for lane in recipe.lanes:
        if lane.batch_size % chains:
            raise ValueError(
                f"{lane.puzzle}: batch_size {lane.batch_size} is no multiple of {chains} chains"
            )


def read_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a TOML recipe; each override is `key.sub=value`, its value in TOML notation.

    Raises: RecipeError with file, key and what was expected.
    """
    try:
        raw = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: no such recipe") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not valid TOML: {error}") from error
    for override in overrides:
        _apply(raw, override)
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}"
            for e in error.errors()
        ]
        raise RecipeError("\n".join(lines)) from error


def _apply(raw: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise RecipeError(f"--set {override}: expected key.sub=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string
    *parents, last = key.strip().split(".")
    node: Any = raw
    for parent in parents:
        if isinstance(node, list) and parent.isdigit() and int(parent) < len(node):
            node = node[int(parent)]
        elif isinstance(node, dict):
            node = node.setdefault(parent, {})
        else:
            raise RecipeError(f"--set {override}: there is no {parent!r} to set a part of")
    if not isinstance(node, dict):
        raise RecipeError(f"--set {override}: there is no {key!r} to set")
    node[last] = value
