"""The `ponder` command line: thin commands over the packages, which are imported inside them."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

console = Console()
errors = Console(stderr=True)
REFERENCE_TOLERANCE = 1e-4  # absolute, float32

app = typer.Typer(
    name="ponder",
    help="Train, export and serve small recursive models that solve puzzles.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Build data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@app.command()
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
) -> None:
    """Train a model from a recipe. Ctrl-C or SIGTERM stops it in a resumable state."""
    import torch

    from model.checkpoint import CheckpointError
    from training.dataset import DatasetError
    from training.recipe import RecipeError, read_recipe
    from training.session import run_training
    from training.trainer import TrainingDivergedError

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        plan = read_recipe(recipe, tuple(set_ or ()))
        run = out or Path("runs") / plan.name
        checkpoint = run_training(
            plan, run, resume=resume, device=torch.device(device), console=console
        )
    except (RecipeError, CheckpointError, DatasetError, TrainingDivergedError) as error:
        raise _failure(error) from error
    console.print(f"checkpoint: {checkpoint}")


@data_app.command("sudoku")
def data_sudoku(
    out: Annotated[Path, typer.Option(help="Data set directory to make.")],
    csv: Annotated[
        list[Path] | None,
        typer.Option(help="Training puzzles: columns source,question,answer,rating; .gz is read."),
    ] = None,
    test_csv: Annotated[list[Path] | None, typer.Option(help="Test puzzles, as --csv.")] = None,
    generate: Annotated[int, typer.Option(min=0, help="Fresh puzzles to generate.")] = 0,
    size: Annotated[int, typer.Option(help="4, 6, 9 or 16.")] = 9,
    extra_givens: Annotated[
        str, typer.Option(help="A-B: givens put back into generated minimal puzzles.")
    ] = "0-0",
    source: Annotated[
        Literal["hub"] | None, typer.Option(help="hub: the public Sudoku-Extreme.")
    ] = None,
    hub_dir: Annotated[
        Path | None, typer.Option(help="Local copy of the Hub's train.csv and test.csv.")
    ] = None,
    validation: Annotated[int, typer.Option(min=0, help="Puzzles held out of training.")] = 0,
    test: Annotated[int, typer.Option(min=0, help="More held-out puzzles, for testing.")] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Build a Sudoku data set from CSV files, the Hugging Face Hub or fresh puzzles."""
    from rich.progress import Progress

    from training.data_build import SudokuRequest, build_sudoku, parse_range, sudoku_of_size
    from training.data_summary import summary_table
    from training.dataset import DatasetError
    from training.sudoku_generator import GeneratorError

    try:
        request = SudokuRequest(
            sudoku=sudoku_of_size(size),
            seed=seed,
            csv=tuple(csv or ()),
            test_csv=tuple(test_csv or ()),
            generate=generate,
            extra_givens=parse_range(extra_givens),
            hub=source == "hub",
            hub_dir=hub_dir,
            validation=validation,
            test=test,
        )
        with Progress(console=errors) as progress:
            info = build_sudoku(request, out, progress)
        console.print(summary_table(out, info))
    except (DatasetError, GeneratorError) as error:
        raise _failure(error) from error
    for line in info.provenance:
        console.print(line, highlight=False)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint, or run directory (its newest).")],
    out: Annotated[Path, typer.Option(help="Bundle directory to write.")],
    name: Annotated[str | None, typer.Option(help="Name in the manifest [the model's].")] = None,
    noise_scale: Annotated[
        float, typer.Option(min=0, help="Start noise of a lattice's restarts.")
    ] = 0.5,
    accuracy: Annotated[
        Path | None, typer.Option(help="JSON list of measured figures for the manifest.")
    ] = None,
    parity_puzzles: Annotated[
        int, typer.Option(min=1, help="Puzzles to solve with both runtimes, per graph.")
    ] = 200,
) -> None:
    """Export a checkpoint to a bundle: ONNX step graphs, checked against PyTorch, and a manifest."""
    from export.bundle import export_bundle
    from export.errors import ExportError
    from export.record import read_accuracy
    from model.checkpoint import CheckpointError
    from training.run_state import resolve_checkpoint

    try:
        manifest = export_bundle(
            resolve_checkpoint(checkpoint),
            out,
            name=name,
            noise_scale=noise_scale,
            accuracy=read_accuracy(accuracy) if accuracy else (),
            parity_puzzles=parity_puzzles,
        )
    except (ExportError, CheckpointError) as error:
        raise _failure(error) from error
    for graph in manifest.graphs:
        parity = graph.parity
        console.print(
            f"{graph.file}: {parity.same_answers}/{parity.puzzles} same answers, "
            f"{parity.same_steps}/{parity.puzzles} same steps, q_halt within "
            f"{parity.largest_q_halt_difference:.1e}",
            highlight=False,
        )
    console.print(f"bundle: {out}")


@app.command()
def import_reference(
    file: Annotated[Path, typer.Argument(help="Reference weights: .pt state dict or .npz.")],
    out: Annotated[Path, typer.Option(help="Checkpoint directory to write.")],
    config: Annotated[
        Path | None, typer.Option(help="The reference's config (YAML or JSON), for .pt files.")
    ] = None,
    puzzle: Annotated[
        str | None, typer.Option(help="What it solves, e.g. sudoku-9x9 [by its sizes].")
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Compare with the outputs in the file; exit 1 above 1e-4.")
    ] = False,
) -> None:
    """Turn weights of the TRM reference implementation into a checkpoint."""
    import torch

    from model.checkpoint import CheckpointError
    from model.reference_import import largest_differences, read_reference, save_reference
    from puzzles.errors import UnknownKindError
    from puzzles.registry import by_name
    from training.losses import answer_loss
    from training.recipe import Loss

    try:
        reference = read_reference(
            file, _reference_keys(config) if config else {}, by_name(puzzle) if puzzle else None
        )
        if check:
            apart = largest_differences(
                reference, lambda logits, labels: answer_loss(logits, labels, Loss())
            )
            for name, difference in apart.items():
                console.print(f"{name:10} {difference:.2e}", highlight=False)
            if not all(difference <= REFERENCE_TOLERANCE for difference in apart.values()):
                raise typer.Exit(1)
        save_reference(reference, out, {"torch": torch.__version__})
    except (CheckpointError, FileExistsError, UnknownKindError) as error:
        raise _failure(error) from error
    console.print(f"checkpoint of {reference.spec.name}: {out}")


def _reference_keys(path: Path) -> dict[str, object]:
    """The model's keys of a reference config file, which may hold them under `arch`."""
    import yaml

    from model.checkpoint import CheckpointError

    try:
        raw = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    keys = raw.get("arch", raw) if isinstance(raw, dict) else raw
    if not isinstance(keys, dict):
        raise CheckpointError(f"{path}: expected names and values of the reference's config")
    # "${.hidden_size}" and its like: left to be read from the arrays.
    return {key: value for key, value in keys.items() if "${" not in str(value)}


def _failure(error: Exception) -> typer.Exit:
    """Say what went wrong in red, without a traceback; exit status 2."""
    errors.print(f"[red]error:[/red] {escape(str(error))}")
    return typer.Exit(2)


def main() -> None:
    """Entry point of the `ponder` script."""
    app()


if __name__ == "__main__":
    main()
