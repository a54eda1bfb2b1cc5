"""`ponder train --benchmark`: how fast a recipe trains here, and how long it will take."""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.table import Table

from model.flops import training_flops
from puzzles.registry import by_name
from training.lane import TrainingLane
from training.recipe import Recipe
from training.session import open_trainer
from training.threads import torch_threads
from training.trainer import Trainer

WARM_UP = 3  # optimizer steps, compilation among them
LEAST = 20  # optimizer steps of a lane that are timed, however long they take
LEAST_GEMM = 3  # matrix products; on a slow CPU each takes most of a second
SECONDS = 5.0  # of each lane's steps, and of matrix products
GEMM_SIZE = {"cpu": 2048, "cuda": 8192}


@dataclass(frozen=True)
class LaneSpeed:
    """One lane by itself; flops: of the matrix products of one optimizer step."""

    puzzle: str
    runtime: str
    batch_size: int
    share: float  # of all optimizer steps
    seconds_per_step: float
    flops: int

    @property
    def rows_per_second(self) -> float:
        return self.batch_size / self.seconds_per_step


@dataclass(frozen=True)
class TrainingSpeed:
    """A recipe on one machine; gemm_flops: a second's, of a large product in the same precision."""

    recipe: str
    device: str
    precision: str
    optimizer_steps: int
    lanes: tuple[LaneSpeed, ...]
    gemm_flops: float
    peak_memory_bytes: int

    @property
    def seconds_per_step(self) -> float:
        """With lanes in the recipe's proportion."""
        return sum(lane.share * lane.seconds_per_step for lane in self.lanes)

    @property
    def share_of_gemm(self) -> float:
        """What the matrix products would take at the limit, of what the steps took."""
        flops = sum(lane.share * lane.flops for lane in self.lanes)
        return flops / self.gemm_flops / self.seconds_per_step

    @property
    def recipe_seconds(self) -> float:
        """Of the whole recipe, validation and saving apart."""
        return self.optimizer_steps * self.seconds_per_step

    def as_json(self) -> dict[str, object]:
        """Everything measured, and what follows from it."""
        derived = {
            "optimizer_steps_per_second": 1 / self.seconds_per_step,
            "share_of_gemm": self.share_of_gemm,
            "recipe_seconds": self.recipe_seconds,
        }
        return asdict(self) | derived


def measure_training(
    recipe: Recipe, device: torch.device, on_lane: Callable[[str], None]
) -> TrainingSpeed:
    """Train for some seconds in a run directory that is thrown away.

    Raises: DatasetError, RecipeError.
    """
    with (
        tempfile.TemporaryDirectory() as run,
        closing(open_trainer(recipe, Path(run), device)) as trainer,
    ):
        on_lane("GEMM")
        gemm = _gemm_flops(trainer.dtype, device)
        with torch_threads(uses_kernel=trainer.uses_kernel):
            lanes = [_lane_speed(trainer, lane, device, on_lane) for lane in trainer.lanes]
    return TrainingSpeed(
        recipe=recipe.name,
        device=str(device),
        precision=str(trainer.dtype).removeprefix("torch."),
        optimizer_steps=recipe.optimizer_steps,
        lanes=tuple(lanes),
        gemm_flops=gemm,
        peak_memory_bytes=_peak_memory(device),
    )


def _lane_speed(
    trainer: Trainer, lane: TrainingLane, device: torch.device, on_lane: Callable[[str], None]
) -> LaneSpeed:
    on_lane(lane.name)
    shares = sum(other.share for other in trainer.lanes)
    batch_size = len(lane.batch.tokens)
    flops = training_flops(trainer.recipe.model, by_name(lane.name).spec)
    return LaneSpeed(
        puzzle=lane.name,
        runtime=lane.step.runtime,
        batch_size=batch_size,
        share=lane.share / shares,
        seconds_per_step=_seconds_per_call(lambda: trainer.update(lane), device, LEAST),
        flops=batch_size * flops,
    )


def _gemm_flops(dtype: torch.dtype, device: torch.device) -> float:
    size = GEMM_SIZE[device.type]
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    seconds = _seconds_per_call(lambda: torch.matmul(a, b, out=out), device, LEAST_GEMM)
    return 2 * size**3 / seconds


def _seconds_per_call(work: Callable[[], object], device: torch.device, least: int) -> float:
    """Mean after a warm-up; the device is waited for before and after, not in between."""
    for _ in range(WARM_UP):
        work()
    calls, took = 0, 0.0
    while calls < least or took < SECONDS:
        _wait(device)
        began = time.perf_counter()
        for _ in range(least):
            work()
        _wait(device)
        took += time.perf_counter() - began
        calls += least
    return took / calls


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_memory(device: torch.device) -> int:
    """Bytes: the device's on CUDA, the process's elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else 1024 * kilobytes


def speed_table(speed: TrainingSpeed) -> Table:
    """For people."""
    hours, minutes = divmod(round(speed.recipe_seconds / 60), 60)
    table = Table(
        title=f"{speed.recipe} on {speed.device}, {speed.precision}",
        caption=(
            f"together {1 / speed.seconds_per_step:.1f} optimizer steps/s, "
            f"{speed.share_of_gemm:.0%} of GEMM ({speed.gemm_flops / 1e9:,.0f} GFLOP/s), "
            f"{hours} h {minutes:02} min for {speed.optimizer_steps} steps, "
            f"{speed.peak_memory_bytes / 2**20:,.0f} MiB"
        ),
    )
    for name in ("lane", "runtime", "batch", "share", "steps/s", "rows/s", "of GEMM"):
        table.add_column(name, justify="left" if name in {"lane", "runtime"} else "right")
    for lane in speed.lanes:
        of_gemm = lane.flops / speed.gemm_flops / lane.seconds_per_step
        table.add_row(
            *(lane.puzzle, lane.runtime, str(lane.batch_size), f"{lane.share:.0%}"),
            *(f"{1 / lane.seconds_per_step:.1f}", f"{lane.rows_per_second:,.0f}", f"{of_gemm:.0%}"),
        )
    return table
