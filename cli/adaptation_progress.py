"""How `ponder adapt` tells how far it is: a bar for people, JSON lines for a server."""

import json
import os
import sys
import threading
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from cli.console import errors

STANDARD_INPUT = 0

if TYPE_CHECKING:
    from training.adaptation import Adaptation
    from training.adaptation_plan import AdaptationPlan, AdaptationProgress, Adapted


def run_with_bar(
    adaptation: "Adaptation", name: str, plan: "AdaptationPlan"
) -> "tuple[Adapted, ...]":
    """With a bar over the time; Ctrl-C ends it with what was learnt until then."""
    from training.session import StopFlag

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    stop = StopFlag()
    with Progress(*columns, console=errors) as bar, stop.installed():
        line = bar.add_task(name, total=60 * plan.minutes, figures="compiling …")

        def show(progress: "AdaptationProgress") -> None:
            figures = f"try {progress.attempt}  " if plan.tries > 1 else ""
            figures += f"loss {progress.loss:.3f}  exact {progress.exact:.0%}"
            if progress.held_out is not None:
                figures += f"  held-out {progress.held_out.accuracy:.0%} of views"
            bar.update(line, completed=progress.seconds, figures=figures)

        return adaptation.run(show, stop)


def run_with_events(adaptation: "Adaptation") -> "tuple[Adapted, ...]":
    """With a JSON line for every check; a server stops it by a signal, and takes nothing of it."""
    return adaptation.run(_tell_progress, lambda: False)


def tell(phase: str, **figures: float | None) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(json.dumps({"phase": phase, **figures}) + "\n")
    sys.stdout.flush()


def end_with_standard_input() -> None:
    """End this process when whoever holds the other end of its standard input is gone."""

    def wait() -> None:
        # Not by sys.stdin, whose lock a waiting thread would hold when Python ends.
        while os.read(STANDARD_INPUT, 1):
            pass
        os._exit(1)  # threads of libraries must not hold it up; what it writes is written aside

    threading.Thread(target=wait, name="ponder-orphan", daemon=True).start()


def _tell_progress(progress: "AdaptationProgress") -> None:
    held_out = progress.held_out
    tell(
        progress.state,
        attempt=progress.attempt,
        optimizer_steps=progress.optimizer_step,
        seconds=round(progress.seconds, 1),
        seconds_left=round(max(0.0, progress.seconds_left), 1),
        loss=progress.loss,
        exact=progress.exact,
        held_out_accuracy=None if held_out is None else held_out.accuracy,
    )
