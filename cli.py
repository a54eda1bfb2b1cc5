"""The `ponder` command line: thin commands over the packages, which are imported inside them."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

import cli_evaluation

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
app.command()(cli_evaluation.evaluate)
app.command()(cli_evaluation.plot)


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
    from model.devices import DeviceError, resolve_device
    from training.dataset import DatasetError
    from training.recipe import RecipeError, read_recipe
    from training.session import run_training
    from training.sudoku_generator import GeneratorError
    from training.trainer import TrainingDivergedError

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        plan = read_recipe(recipe, tuple(set_ or ()))
        run = out or Path("runs") / plan.name
        outcome = run_training(
            plan, run, resume=resume, device=resolve_device(device), console=console
        )
    except (
        *(CheckpointError, DatasetError, DeviceError, GeneratorError, RecipeError),
        TrainingDivergedError,
    ) as error:
        raise _failure(error) from error
    if not outcome.finished:
        console.print(
            f"stopped at optimizer step {outcome.optimizer_step} of {plan.optimizer_steps}; "
            "resume with the same command and --resume",
            highlight=False,
        )
    console.print(f"checkpoint: {outcome.checkpoint}", highlight=False, soft_wrap=True)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def serve(context: typer.Context) -> None:
    """Serve bundles over HTTP. Its options are the server's settings: see `serve --help`."""
    from server.__main__ import main as run_server

    raise typer.Exit(run_server(context.args))


@app.command()
def solve(
    puzzle: Annotated[
        str | None, typer.Argument(help="One line of 16, 36, 81 or 256 characters; . is empty.")
    ] = None,
    input_: Annotated[
        Path | None,
        typer.Option("--input", help="One puzzle a line, or CSV with a question column; or .gz."),
    ] = None,
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Bundle directory [bundles/sudoku].")
    ] = None,
    kind: Annotated[str, typer.Option(help="Kind of puzzle.")] = "sudoku",
    max_steps: Annotated[int | None, typer.Option(min=1, help="Steps per attempt [64].")] = None,
    attempts: Annotated[int | None, typer.Option(min=1, help="Attempts [16].")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines, as the API answers.")] = False,
) -> None:
    """Solve puzzles here, without a server. Exit status 1 if one stays unsolved."""
    from server.offline import OfflineError, OfflineOptions, given_questions, solve_offline
    from server.show import shown

    options = OfflineOptions(kind, tuple(bundle or ()), threads, max_steps, attempts)
    try:
        solved = solve_offline(given_questions(puzzle, input_), options, errors)
    except OfflineError as error:
        raise _failure(error) from error
    for one in solved:
        console.print(one.json() if json else shown(one), soft_wrap=True, highlight=False)
    raise typer.Exit(0 if all(one.is_solved for one in solved) else 1)


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
    """Export a checkpoint to a bundle: step graphs checked against PyTorch, and a manifest."""
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
