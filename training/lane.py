"""A lane of a run: one puzzle's rolling batch, its sums since the last log line, its monitor."""

from typing import final

import torch
from torch import Tensor

from kernel.lattice import LatticeKernel
from model.trm import TinyRecursiveModel
from puzzles.arc import Arc
from puzzles.registry import by_name
from training.augment import SudokuAugment
from training.guesses import Guessing
from training.losses import StepLoss
from training.monitor import Monitor, answered_questions, evenly_spaced
from training.pool import Pool, Questions
from training.recipe import Lane, Recipe
from training.rolling_batch import Halted, RollingBatch
from training.step import KernelStep, training_step
from training.task_pool import LearntTasks, TaskPool
from training.task_set import NamedTask

SUMS = 8  # optimizer steps, two losses, five counts of halted rows


@final
class TrainingLane:
    """Built from the recipe's lane; all randomness comes from its own generator."""

    def __init__(
        self,
        trm: TinyRecursiveModel,
        recipe: Recipe,
        lane: Lane,
        *,
        seed: int,
        device: torch.device,
        tasks: tuple[NamedTask, ...] = (),
        first_task: int = 0,
    ) -> None:
        """tasks: what the lane teaches, where its puzzle has tasks, from row `first_task` on.

        Raises: UnsupportedError if the recipe asks for compiled steps that cannot be had;
        DatasetError.
        """
        kind = by_name(lane.puzzle)
        self.step = training_step(trm, kind.spec, recipe, lane, device)
        self.name = lane.puzzle
        self.share = lane.share
        self.generator = torch.Generator(device).manual_seed(seed)
        questions: Questions
        if isinstance(kind, Arc):
            learnt = LearntTasks(kind, tasks, first_task, trm.config.task_variants)
            questions = TaskPool(learnt, shift=recipe.tasks.shift, device=device)
        else:
            questions = Pool(kind, lane, seed=seed, device=device)
        self.batch = RollingBatch(
            trm,
            questions,
            batch_size=lane.batch_size,
            seq_len=kind.spec.seq_len,
            halting=recipe.halting,
            augment=SudokuAugment(kind.spec) if lane.augment else None,
            guessing=Guessing(kind, recipe.guesses, device) if recipe.teaches_refutation else None,
            dtype=self.step.dtype,
            generator=self.generator,
        )
        self.monitor = None
        if lane.validation is not None:
            held_out = (
                answered_questions(learnt, lane.validation)
                if isinstance(kind, Arc)
                else evenly_spaced(kind, lane.validation, recipe.validation_puzzles)
            )
            self.monitor = Monitor(held_out, device)
        self._sums = torch.zeros(SUMS, dtype=torch.float64, device=device)

    @property
    def uses_kernel(self) -> bool:
        """Whether compiled code makes its steps."""
        return isinstance(self.step, KernelStep)

    def solver(self, trm: TinyRecursiveModel) -> LatticeKernel | None:
        """What solves puzzles by compiled code, where that makes the lane's steps too."""
        return self.step.solver(trm) if isinstance(self.step, KernelStep) else None

    def count(self, loss: StepLoss, halted: Halted) -> None:
        """Add one optimizer step to the sums; stays on the device."""
        self._sums += torch.stack(
            [
                torch.ones((), device=self._sums.device),
                loss.answer.detach(),
                loss.halt.detach(),
                halted.rows,
                halted.exact,
                halted.refuted,
                halted.noticed,
                halted.steps,
            ]
        ).double()

    def close(self) -> None:
        """Stop what generates its puzzles."""
        self.batch.pool.close()

    def drain(self) -> dict[str, float]:
        """Means since the last call, named by puzzle; empty if the lane had no step since."""
        steps, answer, halt, rows, exact, refuted, noticed, supervision_steps = self._sums.tolist()
        self._sums.zero_()
        if not steps:
            return {}
        values = {"loss_answer": answer / steps, "loss_halt": halt / steps}
        if rows:
            values["halted_exact"] = exact / rows
        if refuted:
            values["refuted_noticed"] = noticed / refuted
        if rows + refuted:
            values["halted_supervision_steps"] = supervision_steps / (rows + refuted)
        return {f"{self.name}/{name}": value for name, value in values.items()}

    def state_dict(self) -> dict[str, Tensor | dict[str, Tensor]]:
        """Everything the next step of this lane depends on."""
        return {
            "batch": self.batch.state_dict(),
            "generator": self.generator.get_state(),
            "sums": self._sums,
        }

    def load_state_dict(self, state: dict[str, Tensor | dict[str, Tensor]]) -> None:
        """Inverse of `state_dict`."""
        batch, generator, sums = state["batch"], state["generator"], state["sums"]
        assert isinstance(batch, dict)
        assert isinstance(generator, Tensor)
        assert isinstance(sums, Tensor)
        self.batch.load_state_dict(batch)
        self.generator.set_state(generator)
        self._sums.copy_(sums)
