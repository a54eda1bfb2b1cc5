"""Learn a task that the model has never seen, from its demonstrations alone.

A task is known to a model only by its embedding, and an embedding alone is known to be weak
(arXiv 2511.02886): it begins where the most similar known tasks have theirs, is fitted first, then
the whole network with it, at small rates. Where there are three demonstrations or more, one is held
out at first: whether the others lead to it is the only honest word on whether the task was
understood. Then it is learnt from too.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from model.checkpoint import load_model, read_info, save_checkpoint
from model.stepper import TorchStepper
from model.trm import TinyRecursiveModel
from puzzles.arc import ARCS, Arc
from puzzles.arc_task import ArcTask, Pair
from puzzles.kind import Grid
from puzzles.known_tasks import KnownTask
from training.assembly import averaged_model
from training.dataset import DatasetError
from training.known_table import checked_views
from training.lane import TrainingLane
from training.nearest import nearest_embedding
from training.optimizers import OptimizerGroup
from training.recipe import Halting, Lane, Loss, Optimizer, Recipe, Source, TaskTraining
from training.task_set import NamedTask
from training.task_solves import Answered, Question, answer_all
from training.threads import torch_threads

FEWEST_TO_HOLD_OUT = 3
ENOUGH_EXACT = 0.995  # of the rows that halted since the last check: there is no more to learn

What = Literal["embedding", "network"]
State = Literal["held_out", "all", "done"]


class AdaptationPlan(BaseModel):
    """How long and how.

    what: the embedding alone, or the network too after `embedding_share` of the time, at most
    `embedding_seconds`; held_out_share: how much of the time a demonstration is held out at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: What = "network"
    minutes: float = Field(default=5.0, gt=0)
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
class AdaptationProgress:
    """How far it is.

    exact: share of the training rows that were right when they halted;
    held_out: see `HeldOutVote`; None without a held-out demonstration.
    """

    state: State
    optimizer_step: int
    seconds: float
    seconds_left: float
    loss: float
    exact: float
    held_out: "HeldOutVote | None"


@dataclass(frozen=True)
class HeldOutVote:
    """The vote on the demonstration that was held out.

    accuracy: share of its views that got it right; right: whether their first choice is.
    """

    accuracy: float
    right: bool


@dataclass(frozen=True)
class Adapted:
    """The network with the one task in its table, and how it went."""

    trm: TinyRecursiveModel
    arc: Arc
    optimizer_steps: int
    held_out: HeldOutVote | None
    seconds: float


@final
class Adaptation:
    """One task on one device; `run` it once."""

    def __init__(
        self,
        checkpoint: Path,
        task: ArcTask,
        plan: AdaptationPlan,
        *,
        device: torch.device,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises: CheckpointError; DatasetError if no canvas of the model holds the task."""
        self._task, self._device, self._clock = task, device, clock
        self._began = clock()
        known, self._info = load_model(checkpoint), read_info(checkpoint)
        self.arc = smallest_canvas(known, task)
        views = checked_views(known.config, plan.views)
        self._plan = plan = plan.model_copy(update={"views": views})
        self._recipe = _recipe(known, self.arc, plan)
        self._pairs, self._check = _held_out(task)
        self.trm = _with_one_task(known.to(device), self.arc, self._pairs)
        self._ema = averaged_model(self.trm, self._recipe)
        self._optimizers = OptimizerGroup(self.trm, self._recipe.optimizer, self._recipe.tasks)
        self.optimizer_step = 0
        self._held_out: HeldOutVote | None = None

    def run(
        self,
        on_progress: Callable[[AdaptationProgress], None],
        stop: Callable[[], bool],
    ) -> Adapted:
        """Learn until time is up, nothing is left to learn, or `stop()`."""
        began, budget = self._began, 60 * self._plan.minutes
        ends = began + budget
        if self._check is not None:
            until = began + budget * self._plan.held_out_share
            times = (began, until, ends)
            self._learn("held_out", self._pairs, self._check, times, on_progress, stop)
        times = (began, ends, ends)
        self._learn("all", self._task.demonstrations, None, times, on_progress, stop)
        took = self._clock() - began
        return Adapted(self._averaged, self.arc, self.optimizer_step, self._held_out, took)

    @property
    def _averaged(self) -> TinyRecursiveModel:
        module = self._ema.module
        assert isinstance(module, TinyRecursiveModel)
        return module

    def _learn(
        self,
        state: State,
        pairs: tuple[Pair, ...],
        check: Pair | None,
        times: tuple[float, float, float],
        on_progress: Callable[[AdaptationProgress], None],
        stop: Callable[[], bool],
    ) -> None:
        """Until the second of `times` (begin, end of this, end of all), or enough is learnt."""
        began, until, ends = times
        lane = self._lane(pairs)
        with torch_threads(uses_kernel=lane.uses_kernel):
            while self._clock() < until and not stop():
                self._update(lane, seconds=self._clock() - began)
                if self.optimizer_step % self._plan.check_every:
                    continue
                figures = lane.drain()
                exact = figures.get(f"{lane.name}/halted_exact", 0.0)
                understood = False
                if check is not None:
                    before, self._held_out = self._held_out, self._voted_on(check)
                    understood = before is not None and before.right and self._held_out.right
                now = self._clock()
                loss = figures[f"{lane.name}/loss_answer"]
                at, vote = self.optimizer_step, self._held_out
                on_progress(
                    AdaptationProgress(state, at, now - began, ends - now, loss, exact, vote)
                )
                if exact >= ENOUGH_EXACT or understood:
                    break

    def _lane(self, pairs: tuple[Pair, ...]) -> TrainingLane:
        tasks = (NamedTask("task", "asked", ArcTask(pairs)),)
        recipe, seed, device = self._recipe, self._plan.seed, self._device
        return TrainingLane(
            self.trm, recipe, recipe.lanes[0], seed=seed, device=device, tasks=tasks
        )

    def _update(self, lane: TrainingLane, *, seconds: float) -> None:
        """seconds: since the beginning."""
        plan, batch = self._plan, lane.batch
        batch.refill()
        stepped = lane.step(batch.tokens, batch.labels, batch.carry, batch.task)
        budget = 60 * plan.minutes
        share = min(1.0, 2 * (1 - seconds / budget))  # constant, then down to nothing
        alone = min(plan.embedding_share * budget, plan.embedding_seconds)
        if plan.what == "network" and seconds >= alone:
            self._optimizers.step(share)
        self.trm.zero_grad(set_to_none=True)
        assert batch.task is not None
        assert stepped.task_gradient is not None
        self._optimizers.step_tasks(batch.task, stepped.task_gradient, share)
        self._ema.update_parameters(self.trm)
        lane.count(stepped.loss, batch.settle(stepped))
        self.optimizer_step += 1

    def _voted_on(self, pair: Pair) -> HeldOutVote:
        [vote] = answers_of(self._averaged, self.arc, "task", (pair.question,), self._plan)
        for place, candidate in enumerate(vote.candidates):
            if np.array_equal(candidate.answer, pair.answer):
                return HeldOutVote(candidate.share, right=place == 0)
        return HeldOutVote(0.0, right=False)

    def save(self, out: Path, name: str) -> None:
        """Write the adapted network as a checkpoint. Raises: FileExistsError."""
        state = self._averaged.state_dict()
        of_task = {"config": self.trm.config, "specs": self.trm.specs}
        info = self._info.model_copy(update=of_task | {"name": f"{self._info.name}+{name}"})
        known = KnownTask(name, self.arc.spec.name, ArcTask(self._task.demonstrations))
        save_checkpoint(out, info, ema=state, raw=state, resume=None, known_tasks=(known,))


def answers_of(
    trm: TinyRecursiveModel, arc: Arc, name: str, questions: Sequence[Grid], plan: AdaptationPlan
) -> list[Answered]:
    """What an adapted network answers to questions of its one task. Raises: CheckpointError."""
    views = checked_views(trm.config, plan.views)
    stepper = TorchStepper(trm, arc.spec)
    asked = [Question(name, i, grid, first_task=0) for i, grid in enumerate(questions)]
    return answer_all(stepper, arc, asked, views=views, max_steps=plan.max_steps)


def smallest_canvas(trm: TinyRecursiveModel, task: ArcTask) -> Arc:
    """Raises: DatasetError if no canvas of the model holds every grid of the task."""
    names = {spec.name for spec in trm.specs}
    for arc in ARCS:
        if arc.spec.name in names and task.side <= arc.size:
            return arc
    raise DatasetError(
        f"the task has a grid with a side of {task.side} cells; the model knows "
        f"{', '.join(sorted(names))}"
    )


def _held_out(task: ArcTask) -> tuple[tuple[Pair, ...], Pair | None]:
    """What is learnt from at first, and the demonstration that is kept back to ask."""
    pairs = task.demonstrations
    if len(pairs) < FEWEST_TO_HOLD_OUT:
        return pairs, None
    return pairs[:-1], pairs[-1]


def _with_one_task(
    known: TinyRecursiveModel, arc: Arc, pairs: tuple[Pair, ...]
) -> TinyRecursiveModel:
    """The same network for one task on one canvas, on the same device.

    Its embedding begins where those of known tasks answer `pairs` best.
    """
    trm = TinyRecursiveModel(known.config.model_copy(update={"tasks": 1}), (arc.spec,))
    state = known.state_dict() | {"body.tasks": nearest_embedding(known, arc, pairs)}
    trm.load_state_dict(state)
    return trm.to(known.y_start.device)


def _recipe(known: TinyRecursiveModel, arc: Arc, plan: AdaptationPlan) -> Recipe:
    """The plan as a recipe of one lane; what is no part of the plan is as in training."""
    lane = Lane(
        puzzle=arc.spec.name,
        batch_size=plan.batch_size,
        sources=(Source(path=Path("demonstrations")),),
    )
    return Recipe(
        name="adaptation",
        seed=plan.seed,
        optimizer_steps=1,  # time is what ends it
        model=known.config,
        lanes=(lane,),
        loss=Loss(name="softmax"),
        optimizer=Optimizer(
            name="muon", lr=plan.network_lr, muon_lr=plan.muon_lr, weight_decay=0.0
        ),
        tasks=TaskTraining(lr=plan.embedding_lr, weight_decay=0.0),
        halting=Halting(max_supervision_steps=plan.max_steps, exploration=0.1),
        ema_rate=0.98,
        precision="bfloat16",
        compile=plan.compile,
    )
