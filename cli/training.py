"""`ponder train` and `ponder plot`: recipe → checkpoint, and how it went."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import console, errors, said_clearly

if TYPE_CHECKING:
    from training.recipe import Recipe

COLLAPSED = 3  # exit status


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe file (TOML).")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override one key, as in --set optimizer.lr=1e-3."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory [runs/NAME].")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the newest checkpoint.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    benchmark: Annotated[
        bool, typer.Option("--benchmark", help="Only measure how fast the recipe trains here.")
    ] = False,
    json_: Annotated[
        Path | None, typer.Option("--json", help="Write the benchmark's figures.")
    ] = None,
) -> None:
    """Train a model from a recipe. Ctrl-C or SIGTERM stops it in a resumable state."""
    import torch

    from model.checkpoint import CheckpointError
    from model.devices import DeviceError, resolve_device
    from training.dataset import DatasetError
    from training.recipe import RecipeError, read_recipe
    from training.run_log import RunLogError
    from training.session import run_training
    from training.sudoku_generator import GeneratorError
    from training.trainer import TrainingDivergedError
    from training.watch import TrainingCollapsedError

    if threads is not None:
        torch.set_num_threads(threads)
    with (
        said_clearly(CheckpointError, DatasetError, DeviceError, GeneratorError, RecipeError),
        said_clearly(RunLogError, TrainingDivergedError),
        said_clearly(TrainingCollapsedError, status=COLLAPSED),
    ):
        plan = read_recipe(recipe, tuple(set_ or ()))
        if benchmark:
            _measure(plan, device, json_)
            return
        run = out or Path("runs") / plan.name
        outcome = run_training(
            plan, run, resume=resume, device=resolve_device(device), console=console
        )
    if not outcome.finished:
        console.print(
            f"stopped at optimizer step {outcome.optimizer_step} of {plan.optimizer_steps}; "
            "resume with the same command and --resume",
            highlight=False,
        )
    console.print(f"checkpoint: {outcome.checkpoint}", highlight=False, soft_wrap=True)


def _measure(plan: "Recipe", device: str, json_: Path | None) -> None:
    import json

    from model.devices import resolve_device
    from training.benchmark import measure_training, speed_table

    with errors.status("measuring …") as status:
        speed = measure_training(
            plan, resolve_device(device), lambda what: status.update(f"measuring {what} …")
        )
    console.print(speed_table(speed))
    if json_ is not None:
        json_.write_text(json.dumps(speed.as_json(), indent=1) + "\n")


def plot(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    out: Annotated[Path | None, typer.Option(help="PNG to write [RUN/curves.png].")] = None,
) -> None:
    """Draw a run's curves: losses, halted rows, validation, learning rate, a line per lane."""
    from training.plot import plot_run
    from training.run_log import RunLogError

    path = out or run / "curves.png"
    with said_clearly(RunLogError):
        plot_run(run, path)
    console.print(f"curves: {path}")
