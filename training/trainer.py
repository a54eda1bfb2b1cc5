"""One training run: roll the batches, update, average, log, validate, save; resumable."""

import logging
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from model.checkpoint import (
    RESUME_FILE,
    CheckpointError,
    CheckpointInfo,
    load_resume,
    load_weights,
    read_info,
    save_checkpoint,
    weights_file,
)
from model.trm import TinyRecursiveModel
from training.assembly import assemble, averaged_model
from training.lane import TrainingLane
from training.optimizers import OptimizerGroup, learning_rate_share
from training.recipe import Recipe
from training.rolling_batch import REFUTED_Q
from training.run_log import RunLog
from training.run_state import (
    best_checkpoint,
    checkpoint_path,
    checkpoints,
    prune,
    validated,
    write_recipe,
)
from training.step import fast_dtype
from training.watch import TrainingCollapsedError, has_collapsed, is_best

log = logging.getLogger(__name__)

NEVER = torch.iinfo(torch.int64).max


class TrainingDivergedError(RuntimeError):
    """Loss or weights are no finite numbers any more; the last good checkpoint stands."""


@dataclass(frozen=True)
class Progress:
    """What is known after a logged optimizer step."""

    optimizer_step: int
    values: dict[str, float]


@final
class Trainer:
    """Owns the model, its average, the optimizers and the lanes of one run."""

    def __init__(
        self,
        recipe: Recipe,
        run: Path,
        *,
        device: torch.device,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """clock: seconds, which only go forward."""
        self.recipe = recipe
        self.run_directory = run
        self.device = device
        self._clock = clock
        self._saved_at = clock()
        self.dtype = fast_dtype(recipe, device)
        assembly = assemble(recipe, device)
        self.trm, self.lanes = assembly.trm, assembly.lanes
        self._shares, self._known_tasks = assembly.shares, assembly.known_tasks
        self.ema = averaged_model(self.trm, recipe)
        self._optimizers = OptimizerGroup(self.trm, recipe.optimizer, recipe.tasks)
        self.optimizer_step = 0
        self._metrics: dict[str, float] = {}  # of these weights; empty if not validated
        # On the device, so that no step waits for it.
        self._first_bad_step = torch.tensor(NEVER, device=device)

    def train(self, on_progress: Callable[[Progress], None], stop: Callable[[], bool]) -> None:
        """Go on to the recipe's last optimizer step, or until `stop()`; saves at the end.

        Raises: TrainingDivergedError; nothing but finite weights is ever saved.
        TrainingCollapsedError if the recipe says when to stop.
        """
        write_recipe(self.run_directory, self.recipe)
        run_log = RunLog(self.run_directory, after=self.optimizer_step)
        try:
            self._loop(run_log, on_progress, stop)
        finally:
            run_log.close()

    def _loop(
        self, run_log: RunLog, on_progress: Callable[[Progress], None], stop: Callable[[], bool]
    ) -> None:
        recipe, total = self.recipe, self.recipe.optimizer_steps
        since, began = self.optimizer_step, self._clock()
        while self.optimizer_step < total and not stop():
            self.update(self.lanes[self._draw_lane()])
            at = self.optimizer_step
            if at % recipe.log_every == 0 or at == total:
                self._check_finite()
                seconds = self._clock() - began
                values = self._logged((at - since) / seconds)
                since, began = at, self._clock()
                run_log.write(at, values)
                on_progress(Progress(at, values))
            if at % recipe.validate_every == 0 or at == total:
                self._metrics = self.validate()
                run_log.write(at, self._metrics)
                on_progress(Progress(at, self._metrics))
                self._judge()
            if self._save_is_due() and at < total:
                self.save()
        self.save()

    def _save_is_due(self) -> bool:
        minutes = self.recipe.save_minutes
        late = minutes is not None and self._clock() - self._saved_at >= 60 * minutes
        return late or self.optimizer_step % self.recipe.save_every == 0

    def _judge(self) -> None:
        """Save the best weights so far. Raises: TrainingCollapsedError, after saving, too."""
        figures = validated(self.run_directory)
        if not figures or not self._metrics:
            return
        if is_best(figures):
            self.save()
        if has_collapsed(figures, self.recipe.stop):
            self.save()
            raise TrainingCollapsedError(
                f"collapsed: at optimizer step {self.optimizer_step} {figures[-1]:.1%} of the "
                f"validation puzzles are solved, of {max(figures):.1%} before; "
                f"best checkpoint: {best_checkpoint(self.run_directory)}"
            )

    def update(self, lane: TrainingLane) -> None:
        """One optimizer step on one of the lanes."""
        batch = lane.batch
        batch.pool.refresh(self.optimizer_step)
        batch.refill()
        stepped = lane.step(batch.tokens, batch.labels, batch.carry, batch.task)
        loss = stepped.loss
        bad_step = torch.where(loss.total.detach().isfinite(), NEVER, self.optimizer_step + 1)
        self._first_bad_step = torch.minimum(self._first_bad_step, bad_step)
        share = learning_rate_share(
            self.optimizer_step, schedule=self.recipe.schedule, total=self.recipe.optimizer_steps
        )
        self._optimizers.step(share)
        if batch.task is not None and stepped.task_gradient is not None:
            self._optimizers.step_tasks(batch.task, stepped.task_gradient, share)
        self.ema.update_parameters(self.trm)
        lane.count(loss, batch.settle(stepped))
        self.optimizer_step += 1
        self._metrics = {}

    def _draw_lane(self) -> int:
        """Drawn from seed and step alone, so that a resumed run draws the same."""
        rng = np.random.default_rng((self.recipe.seed, self.optimizer_step))
        return int(rng.choice(len(self.lanes), p=self._shares))

    def _logged(self, steps_per_second: float) -> dict[str, float]:
        share = learning_rate_share(
            self.optimizer_step, schedule=self.recipe.schedule, total=self.recipe.optimizer_steps
        )
        values = {"optimizer_steps_per_second": steps_per_second, "learning_rate_share": share}
        for lane in self.lanes:
            values |= lane.drain()
        return values

    def _check_finite(self) -> None:
        """Raises: TrainingDivergedError with the first bad optimizer step and the last good one."""
        first = int(self._first_bad_step)
        if first < NEVER:
            what = f"the loss is not finite at optimizer step {first}"
        elif bad := [name for name, weights in self._weights() if not weights.isfinite().all()]:
            what = f"{', '.join(bad)} not finite after optimizer step {self.optimizer_step}"
        else:
            return
        good = checkpoints(self.run_directory)
        raise TrainingDivergedError(
            f"diverged: {what}; last good checkpoint: {good[-1] if good else 'none'}. "
            "A lower learning rate, more warm-up or clipping usually helps."
        )

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.trm.named_parameters()
        yield from ((f"averaged {name}", p) for name, p in self.averaged.named_parameters())

    def validate(self) -> dict[str, float]:
        """What the averaged weights solve, per lane that has a validation set."""
        metrics = {}
        for lane in self.lanes:
            if lane.monitor is not None:
                found = lane.monitor.measure(
                    self.averaged,
                    self.recipe.halting.max_supervision_steps,
                    self.dtype,
                    kernel=lane.solver(self.averaged),
                )
                metrics[f"{lane.name}/validation_exact"] = found.exact
                metrics[f"{lane.name}/validation_solved"] = found.solved
                metrics[f"{lane.name}/validation_q_error"] = found.q_error
        return metrics

    @property
    def uses_kernel(self) -> bool:
        """Whether compiled code makes the steps of any lane."""
        return any(lane.uses_kernel for lane in self.lanes)

    @property
    def averaged(self) -> TinyRecursiveModel:
        """The model with the averaged weights."""
        module = self.ema.module
        assert isinstance(module, TinyRecursiveModel)
        return module

    def save(self) -> Path:
        """Write a checkpoint of this moment, unless it is there; delete old ones.

        Raises: TrainingDivergedError rather than save weights that are not finite.
        """
        directory = checkpoint_path(self.run_directory, self.optimizer_step)
        if not directory.exists():
            self._check_finite()
            save_checkpoint(
                directory,
                self._info(),
                ema=self.averaged.state_dict(),
                raw=self.trm.state_dict(),
                known_tasks=self._known_tasks,
                resume={
                    "optimizers": self._optimizers.state_dict(),
                    "averaged": self.ema.n_averaged,
                    "lanes": [lane.state_dict() for lane in self.lanes],
                },
            )
            log.info("checkpoint saved", extra={"path": str(directory)})
        self._saved_at = self._clock()
        prune(self.run_directory)
        return directory

    def _info(self) -> CheckpointInfo:
        return CheckpointInfo(
            name=self.recipe.name,
            config=self.trm.config,
            specs=self.trm.specs,
            optimizer_steps=self.optimizer_step,
            trained_supervision_steps=self.recipe.halting.max_supervision_steps,
            refuted_q=REFUTED_Q if self.recipe.teaches_refutation else None,
            metrics=self._metrics,
            versions={"torch": torch.__version__, "python": platform.python_version()},
        )

    def resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint of this run as if it had never stopped.

        Raises: CheckpointError if it is damaged or of another shape.
        """
        info = read_info(checkpoint)
        load_weights(self.trm, weights_file(checkpoint, "raw"))
        load_weights(self.averaged, weights_file(checkpoint, "ema"))
        state = load_resume(checkpoint)
        try:
            self._optimizers.load_state_dict(state["optimizers"])
            self.ema.n_averaged.copy_(state["averaged"])
            for lane, saved in zip(self.lanes, state["lanes"], strict=True):
                lane.load_state_dict(saved)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:  # torch's, by what is off
            problem = f"{type(error).__name__}: {error}"
            raise CheckpointError(
                f"{checkpoint / RESUME_FILE}: not the state of such a run: {problem}"
            ) from error
        self.optimizer_step = info.optimizer_steps
        self._metrics = info.metrics

    def close(self) -> None:
        """Stop the lanes' threads."""
        for lane in self.lanes:
            lane.close()
