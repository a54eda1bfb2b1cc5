"""`ponder adapt-job`: what a server runs to learn a task, in a process of its own."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.adaptation_progress import end_with_standard_input, run_with_events, tell
from cli.console import said_clearly

NICENESS = 10  # solving goes first


def adapt_job(
    model: Annotated[Path, typer.Argument(help="Bundle or checkpoint with tasks.")],
    task: Annotated[Path, typer.Argument(help="JSON file: {train}.")],
    bundle: Annotated[Path, typer.Argument(help="Bundle to write; it serves this one task.")],
    name: Annotated[str, typer.Option(help="Of the task and of the bundle.")],
    minutes: Annotated[float, typer.Option(min=0, help="Time to learn.")] = 5.0,
    tries: Annotated[int, typer.Option(min=1, help="At most, while there is time.")] = 1,
    side: Annotated[int, typer.Option(min=0, help="Of grids to come, if larger.")] = 0,
    what: Annotated[Literal["network", "embedding"], typer.Option()] = "network",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    compiled: Annotated[bool, typer.Option("--compile/--no-compile")] = True,
) -> None:
    """Learn a task and write a bundle; JSON lines tell how far it is. Ends with standard input."""
    end_with_standard_input()
    os.nice(NICENESS)
    tell("starting")  # what comes now takes seconds

    from tempfile import TemporaryDirectory

    import torch

    from export.bundle import export_bundle
    from export.errors import ExportError
    from export.manifest import MANIFEST_FILE
    from model.checkpoint import CheckpointError
    from model.devices import DeviceError, resolve_device
    from training.adaptation import Adaptation
    from training.adaptation_plan import AdaptationPlan
    from training.arc_build import one_task
    from training.dataset import DatasetError
    from training.known_table import checkpoint_of

    if threads is not None:
        torch.set_num_threads(threads)
    known = model if (model / MANIFEST_FILE).exists() else None
    with said_clearly(CheckpointError, DatasetError, DeviceError, ExportError):
        plan = AdaptationPlan(what=what, minutes=minutes, tries=tries, side=side, compile=compiled)
        asked, chosen = one_task(task, name), resolve_device(device)
        adaptation = Adaptation(checkpoint_of(model), asked.task, plan, device=chosen)
        run_with_events(adaptation)
        tell("exporting")
        with TemporaryDirectory(prefix="ponder-adapt-") as directory:
            checkpoint = Path(directory) / "checkpoint"
            adaptation.save(checkpoint, name)
            export_bundle(checkpoint, bundle, like=known)
    tell("done")
