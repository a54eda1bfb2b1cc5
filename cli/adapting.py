"""`ponder adapt`: answer a task that the model has never seen."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.adaptation_progress import run_with_bar
from cli.checkpoints import CheckpointChoice, chosen_checkpoint
from cli.console import console, said_clearly

if TYPE_CHECKING:
    from training.adaptation_plan import Adapted
    from training.task_solves import Answered


def adapt(
    model: Annotated[Path, typer.Argument(help="Bundle, checkpoint or run directory with tasks.")],
    task: Annotated[
        Path, typer.Argument(help="JSON file: {train, test}, or many of them by name; or .gz.")
    ],
    name: Annotated[str | None, typer.Option(help="Which task of a file with many.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the adapted model here, a checkpoint.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Time to learn.")] = 5.0,
    tries: Annotated[
        int, typer.Option(min=1, help="How often to learn it, while there is time; all vote.")
    ] = 2,
    what: Annotated[
        Literal["network", "embedding"],
        typer.Option(help="Learn the embedding first and then all, or the embedding alone."),
    ] = "network",
    views: Annotated[
        int | None, typer.Option(min=1, help="Of a question, to vote [all variants of a task].")
    ] = None,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile/--no-compile", help="Have PyTorch compile its steps: faster, later."
        ),
    ] = True,
    which: CheckpointChoice = "best",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    submission: Annotated[
        Path | None, typer.Option(help="Write the answers in the competition's format.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the answers, where the right ones are known.")
    ] = None,
) -> None:
    """Learn a task from its demonstrations and answer its questions, two attempts each."""
    import json

    import torch

    from model.checkpoint import CheckpointError
    from model.devices import DeviceError, resolve_device
    from training.adaptation import Adaptation
    from training.adaptation_plan import AdaptationPlan
    from training.arc_build import one_task
    from training.dataset import DatasetError
    from training.known_table import checkpoint_of
    from training.task_picture import draw_tasks
    from training.task_scores import is_solved
    from training.task_scores import submission as submitted

    if threads is not None:
        torch.set_num_threads(threads)
    with said_clearly(CheckpointError, DatasetError, DeviceError):
        asked = one_task(task, name)
        plan = AdaptationPlan(
            what=what, minutes=minutes, tries=tries, views=views, compile=compiled
        )
        adaptation = Adaptation(
            checkpoint_of(chosen_checkpoint(model, which)),
            asked.task,
            plan,
            device=resolve_device(device),
        )
        if out is not None and out.exists():
            raise CheckpointError(f"{out} exists; a checkpoint is never overwritten")
        adapted = run_with_bar(adaptation, asked.name, plan)
        answered = adaptation.answers(asked.name, asked.task.questions)
    if out is not None:
        adaptation.save(out, asked.name)
    _show(adapted, answered)
    right = {
        (asked.name, i): answer for i, answer in enumerate(asked.task.answers) if answer is not None
    }
    if right:
        solved = sum(
            is_solved(one, right[key])
            for one in answered
            if (key := (asked.name, one.question.index)) in right
        )
        console.print(f"right within two attempts: {solved} of {len(right)}")
    if submission is not None:
        submission.write_text(json.dumps(submitted(answered)) + "\n")
    if picture is not None and len(right) == len(answered):
        draw_tasks(answered, right, picture)


def _show(adapted: "tuple[Adapted, ...]", answered: "list[Answered]") -> None:
    for number, made in enumerate(adapted, 1):
        found = made.held_out
        held_out = "none" if found is None else f"{found.accuracy:.0%} of its views right"
        console.print(
            f"try {number}: {made.optimizer_steps} optimizer steps in {made.seconds:.0f} s; "
            f"held-out demonstration: {held_out}; no rule can check an answer",
            soft_wrap=True,
        )
    for one in answered:
        for attempt, candidate in enumerate(one.candidates[:2], 1):
            console.print(
                f"question {one.question.index + 1}, attempt {attempt}: {candidate.share:.0%} of "
                f"views, halt probability {candidate.halt_probability:.2f}",
                soft_wrap=True,
            )
            console.print("\n".join("".join(map(str, row)) for row in candidate.answer.tolist()))
