"""`ponder evaluate`: what a model can do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import Progress

from cli.bench import command_line
from cli.checkpoints import CheckpointChoice, chosen_checkpoint
from cli.console import console, errors, said_clearly
from cli.evaluating_tasks import TaskRequest, evaluate_tasks

if TYPE_CHECKING:
    from export.subject import Subject
    from puzzles.restarts import Restart
    from training.evaluation import Evaluated, Plan
    from training.evaluation_data import EvaluationData
    from training.evaluation_figures import Evaluation
    from training.evaluation_parts import PartStore

STDOUT = Path("-")
INTERRUPTED = 130  # exit status


def evaluate(
    model: Annotated[Path, typer.Argument(help="Checkpoint, run directory or bundle.")],
    data: Annotated[
        Path,
        typer.Option(help="Data set, CSV with Sudoku-Extreme's columns (.gz), or ARC task set."),
    ],
    which: CheckpointChoice = "best",
    split: Annotated[str, typer.Option(help="Split of a data set directory.")] = "test",
    puzzle_limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many, evenly spaced [all].")
    ] = None,
    steps: Annotated[
        str,
        typer.Option(
            help="Depths of one attempt to report at. Every puzzle runs to the first; to the last "
            "only those that are not verified."
        ),
    ] = "16,64",
    attempts: Annotated[
        str | None, typer.Option(help="Numbers of attempts to report at, as 1,4,16,64 [none].")
    ] = None,
    attempt_steps: Annotated[
        int | None, typer.Option(min=1, help="Supervision steps of each [the first of --steps].")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(min=0, help="Start noise of attempts [the manifest's, or 0.5].")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Puzzles at once; more help on a GPU.")] = 32,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    device: Annotated[str, typer.Option(help="Of a checkpoint: cpu, cuda or cuda:N.")] = "cpu",
    runtime: Annotated[
        Literal["auto", "compiled", "onnxruntime"],
        typer.Option(help="auto: compiled where that can be, or the bundle's graph, or PyTorch."),
    ] = "auto",
    precision: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option(help="Of compiled code [bfloat16 where the CPU multiplies it]."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures; - for stdout.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the tables, for a card.")] = None,
    unsolved: Annotated[
        Path | None, typer.Option(help="Write what stayed unsolved, as JSON lines.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures to this PNG.")] = None,
    parts: Annotated[
        Path | None, typer.Option(help="Keep finished parts here, and go on after those in it.")
    ] = None,
    record: Annotated[
        bool, typer.Option(help="Put accuracies into the bundle's manifest.")
    ] = False,
    views: Annotated[
        int | None,
        typer.Option(min=1, help="Of an ARC question, by each network [all variants of a task]."),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only these ARC tasks.")] = None,
    submission: Annotated[
        Path | None, typer.Option(help="Write ARC's answers in the competition's format.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw ARC's answers to this PNG.")] = None,
) -> None:
    """Measure a model: accuracy by depth and by attempts, their cost, halting, by difficulty.

    Ctrl-C ends it with the figures of what is done; files but the picture are written as it goes.
    """
    from export.manifest import BundleError, Manifest
    from export.subject import open_subject
    from model.checkpoint import CheckpointError
    from model.devices import DeviceError
    from puzzles.errors import PuzzleError
    from training.dataset import DatasetError
    from training.evaluation import Plan, parse_counts
    from training.evaluation_data import read_evaluation_data
    from training.solves import EvaluationError
    from training.task_set import TASK_SET_FILE

    known = (BundleError, CheckpointError, DatasetError, DeviceError, EvaluationError, PuzzleError)

    outputs = _Outputs(json, markdown, unsolved)
    with said_clearly(*known), Progress(console=errors, transient=True) as progress:
        if (data / TASK_SET_FILE).exists():
            request = TaskRequest(
                model=chosen_checkpoint(model, which),
                data=data,
                views=views,
                max_steps=parse_counts("steps", steps)[0],
                device=device,
                threads=threads,
                names=tuple(task or ()),
                limit=puzzle_limit,
                json=json,
                submission=submission,
                picture=picture,
            )
            evaluate_tasks(request, progress)
            return
        if record:
            Manifest.read(model)  # before the work, not after it
        puzzles = read_evaluation_data(data, split, progress)
        puzzles = puzzles.evenly_spaced(puzzle_limit or len(puzzles))
        subject = open_subject(
            chosen_checkpoint(model, which),
            puzzles.kind.spec.name,
            threads=threads,
            device=device,
            runtime=runtime,
            precision=precision,
        )
        plan = Plan(
            steps=parse_counts("steps", steps),
            attempts=() if attempts is None else parse_counts("attempts", attempts),
            attempt_steps=attempt_steps,
            restart=_restart(subject, noise),
            slots=batch,
        )
        store = _store(parts, subject, puzzles, f"{plan}, {device}, {runtime}, {precision}")
        figures = _measured(subject, puzzles, plan, store, outputs, progress)
    _hand_over(figures, json=json, plot=plot)
    if figures.puzzles < figures.planned:
        raise typer.Exit(INTERRUPTED)
    if record:
        _record(figures, model)


def _restart(subject: "Subject", noise: float | None) -> "Restart":
    """The model's, with another scale of noise if one is given."""
    if noise is None:
        return subject.restart
    return subject.restart.model_copy(update={"noise_scale": noise})


def _store(
    directory: Path | None, subject: "Subject", puzzles: "EvaluationData", how: str
) -> "PartStore | None":
    """Raises: EvaluationError if the directory holds parts of another evaluation."""
    from training.evaluation_parts import PartStore, fingerprint

    if directory is None:
        return None
    return PartStore(directory, fingerprint(puzzles, weights=subject.sha256, how=how))


@dataclass(frozen=True)
class _Outputs:
    """Files that are written again and again, as an evaluation goes on."""

    json: Path | None
    markdown: Path | None
    unsolved: Path | None


def _write(evaluated: "Evaluated", outputs: _Outputs) -> None:
    from training.evaluation_table import evaluation_markdown

    figures = evaluated.figures
    if outputs.json is not None and outputs.json != STDOUT:
        _replace(outputs.json, figures.model_dump_json(indent=1) + "\n")
    if outputs.markdown is not None:
        _replace(outputs.markdown, evaluation_markdown(figures))
    if outputs.unsolved is not None:
        lines = (puzzle.model_dump_json() + "\n" for puzzle in evaluated.unsolved)
        _replace(outputs.unsolved, "".join(lines))


def _replace(path: Path, text: str) -> None:
    """Write aside and rename: a reader never sees half of it."""
    aside = path.with_name(f"{path.name}.partial")
    aside.write_text(text)
    aside.replace(path)


def _measured(
    subject: "Subject",
    puzzles: "EvaluationData",
    plan: "Plan",
    store: "PartStore | None",
    outputs: _Outputs,
    progress: Progress,
) -> "Evaluation":
    """Figures of all puzzles, or of those that were done when somebody interrupted.

    Raises: EvaluationError; typer.Exit if none was done.
    """
    from bench.report import this_machine
    from training.evaluation import Evaluator
    from training.evaluation_figures import Origin

    machine = this_machine()
    cores = f"{machine.cores} CPU core{'s' if machine.cores > 1 else ''} ({machine.cpu})"
    whole, part = progress.add_task("puzzles", total=len(puzzles)), progress.add_task("")

    def show(what: str, done: int, of: int) -> None:
        progress.update(part, description=what, completed=done, total=of)

    def write(evaluated: "Evaluated") -> "Evaluated":
        origin = Origin(
            command=command_line(),
            machine=", ".join(filter(None, (subject.accelerator, cores))),
            wall_seconds=round(evaluated.seconds, 1),
        )
        figures = evaluated.figures.model_copy(update={"origin": origin})
        evaluated = replace(evaluated, figures=figures)
        progress.update(whole, completed=figures.puzzles)
        _write(evaluated, outputs)
        return evaluated

    evaluator = Evaluator(subject.stepper, plan, model_name=subject.name, on_step=show)
    last = until_interrupted(evaluator.run(puzzles, store), write)
    if last is None:
        raise typer.Exit(INTERRUPTED)
    return last.figures


def until_interrupted(
    parts: Iterable["Evaluated"], write: Callable[["Evaluated"], "Evaluated"]
) -> "Evaluated | None":
    """Write each part and return the last; Ctrl-C ends it with what was written until then."""
    last = None
    try:
        for part in parts:
            last = write(part)
    except KeyboardInterrupt:
        errors.print("[yellow]interrupted[/yellow]")
    return last


def _hand_over(figures: "Evaluation", *, json: Path | None, plot: Path | None) -> None:
    """Tables to the terminal, JSON if it goes to stdout, picture."""
    from training.evaluation_plot import plot_evaluation
    from training.evaluation_table import evaluation_table

    (errors if json == STDOUT else console).print(evaluation_table(figures))
    if json == STDOUT:
        typer.echo(figures.model_dump_json(indent=1))
    if plot is not None:
        plot_evaluation(figures, plot)


def _record(figures: "Evaluation", bundle: Path) -> None:
    from export.manifest import Accuracy, BundleError
    from export.record import record_accuracy

    of = {"data": figures.data, "puzzles": figures.puzzles}
    wanted = {"supervision_steps", "attempts", "exact", "verified"}
    rows = [Accuracy.model_validate(of | row.model_dump(include=wanted)) for row in figures.budgets]
    with said_clearly(BundleError):
        record_accuracy(bundle, rows)
