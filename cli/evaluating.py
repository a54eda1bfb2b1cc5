"""`ponder evaluate`: what a model can do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import Progress

from cli.console import console, errors, said_clearly

if TYPE_CHECKING:
    from training.evaluation_figures import Evaluation

STDOUT = Path("-")


def evaluate(
    model: Annotated[Path, typer.Argument(help="Checkpoint, run directory or bundle.")],
    data: Annotated[
        Path, typer.Option(help="Data set directory, or CSV with Sudoku-Extreme's columns; or .gz.")
    ],
    split: Annotated[str, typer.Option(help="Split of a data set directory.")] = "test",
    puzzle_limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many, evenly spaced [all].")
    ] = None,
    steps: Annotated[
        str,
        typer.Option(
            help="Supervision steps to report at. Every puzzle runs to the first; to the last "
            "only those that are not verified."
        ),
    ] = "16,64",
    restarts: Annotated[
        int, typer.Option(min=0, help="Further attempts of what is not verified.")
    ] = 0,
    noise: Annotated[
        float | None, typer.Option(min=0, help="Start noise of restarts [the manifest's, or 0.5].")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Puzzles at once; more help on a GPU.")] = 32,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    device: Annotated[str, typer.Option(help="Of a checkpoint: cpu, cuda or cuda:N.")] = "cpu",
    runtime: Annotated[
        Literal["auto", "compiled", "onnxruntime"], typer.Option(help="Of a bundle.")
    ] = "auto",
    precision: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option(help="Of compiled code [bfloat16 where the CPU multiplies it]."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures; - for stdout.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures to this PNG.")] = None,
    record: Annotated[
        bool, typer.Option(help="Put accuracies into the bundle's manifest.")
    ] = False,
) -> None:
    """Measure a model: accuracy by step, halting, calibration, verified answers, by difficulty."""
    from export.manifest import BundleError, Manifest
    from export.subject import open_subject
    from model.checkpoint import CheckpointError
    from model.devices import DeviceError
    from puzzles.errors import PuzzleError
    from training.dataset import DatasetError
    from training.evaluation import evaluate as measure
    from training.evaluation_data import read_evaluation_data
    from training.run_state import resolve_checkpoint
    from training.solves import Budget, EvaluationError, parse_steps

    known = (BundleError, CheckpointError, DatasetError, DeviceError, EvaluationError, PuzzleError)

    with said_clearly(*known), Progress(console=errors, transient=True) as progress:
        if record:
            Manifest.read(model)  # before the work, not after it
        puzzles = read_evaluation_data(data, split, progress)
        puzzles = puzzles.evenly_spaced(puzzle_limit or len(puzzles))
        checkpoint, puzzle = resolve_checkpoint(model), puzzles.kind.spec.name
        subject = open_subject(
            checkpoint,
            puzzle,
            threads=threads,
            device=device,
            runtime=runtime,
            precision=precision,
        )
        restart = subject.restart
        if noise is not None:
            restart = restart.model_copy(update={"noise_scale": noise})
        budget = Budget(
            parse_steps(steps),
            attempts=1 + restarts,
            restart=restart,
            slots=batch,
        )
        bar = progress.add_task("")

        def show(attempt: int, done: int, total: int) -> None:
            description = f"attempt {attempt} of {budget.attempts}"
            progress.update(bar, description=description, completed=done, total=total)

        figures = measure(subject.stepper, puzzles, budget, model_name=subject.name, on_step=show)
    _hand_over(figures, json=json, plot=plot, record=model if record else None)


def _hand_over(
    figures: "Evaluation", *, json: Path | None, plot: Path | None, record: Path | None
) -> None:
    """Table to the terminal, JSON, picture, accuracies into the bundle `record`."""
    from export.manifest import Accuracy, BundleError
    from export.record import record_accuracy
    from training.evaluation_table import evaluation_table
    from training.plot import plot_evaluation

    (errors if json == STDOUT else console).print(evaluation_table(figures))
    if json == STDOUT:
        typer.echo(figures.model_dump_json(indent=1))
    elif json is not None:
        json.write_text(figures.model_dump_json(indent=1) + "\n")
    if plot is not None:
        plot_evaluation(figures, plot)
    if record is not None:
        of = {"data": figures.data, "puzzles": figures.puzzles}
        rows = [Accuracy.model_validate(of | row.model_dump()) for row in figures.budgets]
        with said_clearly(BundleError):
            record_accuracy(record, rows)
