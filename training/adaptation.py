"""Learn a task that the model has never seen, from its demonstrations alone.

A task is known to a model only by its embedding, and an embedding alone is known to be weak
(arXiv 2511.02886): it begins where the most similar known tasks have theirs, is fitted first, then
the whole network with it, at small rates. Where there are three demonstrations or more, one is held
out at first: whether the others lead to it is the only honest word on whether the task was
understood. Then it is learnt from too.

Mostly a task is learnt by heart long before time is up, and what was made of it hangs on chance:
time that is left goes into further tries, and all tries vote. Where several networks know the
tasks, each try begins with another of them.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

import torch

from model.checkpoint import load_model, load_voters, read_info, save_checkpoint
from model.trm import TinyRecursiveModel
from puzzles.arc import ARCS, Arc
from puzzles.arc_task import ArcTask
from puzzles.kind import Grid
from puzzles.known_tasks import KnownTask
from training.adaptation_plan import AdaptationPlan, AdaptationProgress, Adapted
from training.adaptation_try import Beginning, Try
from training.dataset import DatasetError
from training.known_table import checked_views
from training.task_solves import Answered, answers_to, together


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
        began = clock()
        self._info = read_info(checkpoint)
        networks = [load_model(checkpoint), *load_voters(checkpoint)]
        arc = smallest_canvas(networks[0], max(task.side, plan.side))
        self._plan = plan.model_copy(update={"views": checked_views(self._info.config, plan.views)})
        self._task, self._clock, self._began = task, clock, began
        self._beginnings = [
            Beginning(
                trm.for_puzzles((arc.spec,)).to(device), arc, task, self._plan, device, clock, began
            )
            for trm in networks
        ]
        self._tries: list[Adapted] = []

    def run(
        self,
        on_progress: Callable[[AdaptationProgress], None],
        stop: Callable[[], bool],
    ) -> tuple[Adapted, ...]:
        """Learn until time is up, or `stop()`; the tries that there was time for.

        A try may take all the time that is left; another one begins if there is as much left as
        the last one took.
        """
        began, plan = self._began, self._plan
        ends = began + 60 * plan.minutes
        for number in range(plan.tries):
            beginning = self._beginnings[number % len(self._beginnings)]
            one = Try(beginning, number).run(began, ends, on_progress, stop)
            self._tries.append(one)
            began = self._clock()
            if stop() or ends - began < one.seconds:
                break
        return tuple(self._tries)

    def answers(
        self, name: str, questions: Sequence[Grid], *, tries: int | None = None
    ) -> list[Answered]:
        """What the tries, or the first so many, answer together to questions of the task."""
        plan = self._plan
        return together(
            [
                answers_to(
                    one.trm, one.arc, name, questions, views=plan.views, max_steps=plan.max_steps
                )
                for one in self._tries[:tries]
            ]
        )

    def save(self, out: Path, name: str) -> None:
        """Write the networks as a checkpoint, the first try's first. Raises: FileExistsError."""
        first, *others = self._tries
        state = first.trm.state_dict()
        of_task = {"config": first.trm.config, "specs": first.trm.specs}
        info = self._info.model_copy(update=of_task | {"name": f"{self._info.name}+{name}"})
        shown = ArcTask(self._task.demonstrations)
        known = KnownTask(name, first.arc.spec.name, shown)
        save_checkpoint(
            out,
            info,
            ema=state,
            raw=state,
            resume=None,
            known_tasks=(known,),
            voters=[one.trm for one in others],
        )


def smallest_canvas(trm: TinyRecursiveModel, side: int) -> Arc:
    """The smallest that the model was trained on, or the smallest of all if it fits every size.

    Raises: DatasetError if none holds grids of such a side.
    """
    trained = {spec.name for spec in trm.specs}
    known = [arc for arc in ARCS if arc.spec.name in trained]
    known += ARCS if trm.config.fits_every_size else ()
    for arc in known:
        if side <= arc.size:
            return arc
    raise DatasetError(
        f"the task has a grid with a side of {side} cells; the model knows "
        f"{', '.join(sorted(trained))}"
    )
