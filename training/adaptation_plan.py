"""How a task is to be learnt, and how far that is."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from model.trm import TinyRecursiveModel
from puzzles.arc import Arc

What = Literal["embedding", "network"]
State = Literal["held_out", "all", "done"]


class AdaptationPlan(BaseModel):
    """How long and how.

    what: the embedding alone, or the network too after `embedding_share` of the time, at most
    `embedding_seconds`; held_out_share: how much of the time a demonstration is held out at most;
    tries: how often the task is learnt from the start, if there is time: the tries vote together;
    side: of grids to come, if larger than those of the task.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: What = "network"
    minutes: float = Field(default=5.0, gt=0)
    tries: int = Field(default=1, gt=0)
    side: int = Field(default=0, ge=0)
    embedding_share: float = Field(default=0.15, ge=0, le=1)
    embedding_seconds: float = Field(default=20.0, ge=0)
    held_out_share: float = Field(default=0.5, ge=0, lt=1)
    embedding_lr: float = Field(default=0.03, gt=0)
    muon_lr: float = Field(default=0.003, gt=0)
    network_lr: float = Field(default=1e-3, gt=0)
    batch_size: int = Field(default=16, gt=0)
    check_every: int = Field(default=50, gt=0)  # optimizer steps
    views: int | None = Field(default=None, gt=0)  # None: one for each variant of a task
    max_steps: int = Field(default=3, gt=0)  # supervision steps of a row
    compile: bool = True
    seed: int = 0


@dataclass(frozen=True)
class HeldOutVote:
    """The vote on the demonstration that was held out.

    accuracy: share of its views that got it right; right: whether their first choice is.
    """

    accuracy: float
    right: bool


@dataclass(frozen=True)
class AdaptationProgress:
    """How far it is.

    attempt: which try, from 1; optimizer_step: of it; seconds: of all tries; exact: share of the
    training rows that were right when they halted; held_out: see `HeldOutVote`; None without a
    held-out demonstration.
    """

    attempt: int
    state: State
    optimizer_step: int
    seconds: float
    seconds_left: float
    loss: float
    exact: float
    held_out: HeldOutVote | None


@dataclass(frozen=True)
class Adapted:
    """A network with the one task in its table, and how the try went that made it."""

    trm: TinyRecursiveModel
    arc: Arc
    optimizer_steps: int
    exact: float | None
    held_out: HeldOutVote | None
    seconds: float
