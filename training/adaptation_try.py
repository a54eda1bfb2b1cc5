"""One try at learning a task: an embedding first, then the network with it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from model.trm import TASK_TABLE, TinyRecursiveModel
from puzzles.arc import Arc
from puzzles.arc_task import ArcTask, Pair
from training.adaptation_plan import (
    AdaptationPlan,
    AdaptationProgress,
    Adapted,
    HeldOutVote,
    State,
)
from training.assembly import averaged_model
from training.lane import TrainingLane
from training.nearest import likely_embeddings, nearest_embedding
from training.optimizers import OptimizerGroup
from training.recipe import Halting, Lane, Loss, Optimizer, Recipe, Source, TaskTraining
from training.task_set import NamedTask
from training.task_solves import answers_to
from training.threads import torch_threads

FEWEST_TO_HOLD_OUT = 3
ENOUGH_EXACT = 0.995  # of the rows that halted since the last check: there is no more to learn


@dataclass(frozen=True)
class Beginning:
    """What all tries with one network begin with, and when the first of all did by the clock."""

    known: TinyRecursiveModel
    arc: Arc
    task: ArcTask
    plan: AdaptationPlan
    device: torch.device
    clock: Callable[[], float]
    began: float

    @cached_property
    def likely(self) -> Tensor:
        """(K, R, E) embeddings to begin from; found when first asked for, which takes seconds."""
        return likely_embeddings(self.known, self.arc, self.task.demonstrations[0])


@final
class Try:
    """`run` it once. Other tries have another seed and hold out another demonstration."""

    def __init__(self, beginning: Beginning, number: int) -> None:
        """number: from 0 on."""
        self._beginning = beginning
        self._clock, self._plan, self._number = beginning.clock, beginning.plan, number
        self._recipe = _recipe(beginning.known, beginning.arc, beginning.plan, number)
        self._pairs, self._check = held_out(beginning.task.demonstrations, number)
        self.trm = _with_one_task(beginning, self._pairs)
        self._ema = averaged_model(self.trm, self._recipe)
        self._optimizers = OptimizerGroup(self.trm, self._recipe.optimizer, self._recipe.tasks)
        self._optimizer_step = 0
        self._exact: float | None = None
        self._held_out: HeldOutVote | None = None

    def run(
        self,
        began: float,
        ends: float,
        on_progress: Callable[[AdaptationProgress], None],
        stop: Callable[[], bool],
    ) -> Adapted:
        """Learn until `ends`, nothing is left to learn, or `stop()`.

        began, ends: of this try, by the clock.
        """
        if self._check is not None:
            until = began + (ends - began) * self._plan.held_out_share
            self._learn(
                "held_out", self._pairs, self._check, (began, until, ends), on_progress, stop
            )
        pairs = self._beginning.task.demonstrations
        self._learn("all", pairs, None, (began, ends, ends), on_progress, stop)
        return Adapted(
            self._averaged,
            self._beginning.arc,
            self._optimizer_step,
            self._exact,
            self._held_out,
            self._clock() - began,
        )

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
                self._update(lane, seconds=self._clock() - began, budget=ends - began)
                if self._optimizer_step % self._plan.check_every:
                    continue
                figures = lane.drain()
                self._exact = exact = figures.get(f"{lane.name}/halted_exact", 0.0)
                understood = False
                if check is not None:
                    before, self._held_out = self._held_out, self._voted_on(check)
                    understood = before is not None and before.right and self._held_out.right
                now = self._clock()
                loss = figures[f"{lane.name}/loss_answer"]
                on_progress(
                    AdaptationProgress(
                        attempt=1 + self._number,
                        state=state,
                        optimizer_step=self._optimizer_step,
                        seconds=now - self._beginning.began,
                        seconds_left=ends - now,
                        loss=loss,
                        exact=exact,
                        held_out=self._held_out,
                    )
                )
                if exact >= ENOUGH_EXACT or understood:
                    break

    def _lane(self, pairs: tuple[Pair, ...]) -> TrainingLane:
        tasks = (NamedTask("task", "asked", ArcTask(pairs)),)
        recipe, device = self._recipe, self._beginning.device
        return TrainingLane(
            self.trm, recipe, recipe.lanes[0], seed=recipe.seed, device=device, tasks=tasks
        )

    def _update(self, lane: TrainingLane, *, seconds: float, budget: float) -> None:
        """seconds: since the beginning, of so many that there are."""
        plan, batch = self._plan, lane.batch
        batch.refill()
        stepped = lane.step(batch.tokens, batch.labels, batch.carry, batch.task)
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
        self._optimizer_step += 1

    def _voted_on(self, pair: Pair) -> HeldOutVote:
        [vote] = answers_to(
            self._averaged,
            self._beginning.arc,
            "task",
            (pair.question,),
            views=self._plan.views,
            max_steps=self._plan.max_steps,
        )
        for place, candidate in enumerate(vote.candidates):
            if np.array_equal(candidate.answer, pair.answer):
                return HeldOutVote(candidate.share, right=place == 0)
        return HeldOutVote(0.0, right=False)


def held_out(pairs: tuple[Pair, ...], number: int) -> tuple[tuple[Pair, ...], Pair | None]:
    """What is learnt from at first, and the demonstration that is kept back to ask.

    number: of the try: the last one, then the one before; never the first, by which the likely
    embeddings were found.
    """
    if len(pairs) < FEWEST_TO_HOLD_OUT:
        return pairs, None
    place = len(pairs) - 1 - number % (len(pairs) - 1)
    return pairs[:place] + pairs[place + 1 :], pairs[place]


def _with_one_task(beginning: Beginning, pairs: tuple[Pair, ...]) -> TinyRecursiveModel:
    """The known network for one task on one canvas, on the same device.

    Its embedding begins where those of known tasks answer `pairs` best.
    """
    known, arc = beginning.known, beginning.arc
    trm = TinyRecursiveModel(known.config.model_copy(update={"tasks": 1}), (arc.spec,))
    rows = nearest_embedding(known, arc, beginning.likely, pairs)
    trm.load_state_dict(known.state_dict() | {TASK_TABLE: rows})
    return trm.to(known.y_start.device)


def _recipe(known: TinyRecursiveModel, arc: Arc, plan: AdaptationPlan, number: int) -> Recipe:
    """The plan as a recipe of one lane; what is no part of the plan is as in training."""
    lane = Lane(
        puzzle=arc.spec.name,
        batch_size=plan.batch_size,
        sources=(Source(path=Path("demonstrations")),),
    )
    return Recipe(
        name="adaptation",
        seed=plan.seed + number,
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
