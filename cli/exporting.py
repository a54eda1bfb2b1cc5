"""`ponder export` and `ponder import-reference`: weights become a bundle, or a checkpoint."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.checkpoints import CheckpointChoice, chosen_checkpoint
from cli.console import console, said_clearly


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint or run directory.")],
    out: Annotated[Path, typer.Option(help="Bundle directory to write.")],
    which: CheckpointChoice = "best",
    name: Annotated[str | None, typer.Option(help="Name in the manifest [the model's].")] = None,
    precision: Annotated[
        Literal["float32", "int8"],
        typer.Option(help="Of the step graphs; int8 is for wide networks on CPUs with VNNI."),
    ] = "float32",
    noise_scale: Annotated[
        float, typer.Option(min=0, help="Start noise of a lattice's restarts.")
    ] = 0.5,
    accuracy: Annotated[
        Path | None, typer.Option(help="JSON list of measured figures for the manifest.")
    ] = None,
    efforts: Annotated[
        Path | None, typer.Option(help="JSON of efforts by puzzle for the manifest.")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="A size that a lattice or palette was not trained on, as sudoku-25x25."),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(help="A bundle of the same network: take its graphs, with these weights."),
    ] = None,
    parity_puzzles: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Puzzles to solve with both runtimes, per graph [200; 8 of one of --like].",
        ),
    ] = None,
) -> None:
    """Export a checkpoint to a bundle: step graphs checked against PyTorch, and a manifest."""
    from export.bundle import export_bundle
    from export.errors import ExportError
    from export.manifest import BundleError, Manifest
    from export.record import read_accuracy, read_efforts, record_efforts
    from model.checkpoint import CheckpointError
    from puzzles.errors import UnknownKindError
    from puzzles.registry import by_name

    with said_clearly(BundleError, ExportError, CheckpointError, UnknownKindError):
        if like is not None:
            Manifest.read(like)  # a mistyped path is told; what does not fit takes a minute
        declared = read_efforts(efforts) if efforts else {}
        manifest = export_bundle(
            chosen_checkpoint(checkpoint, which),
            out,
            name=name,
            precision=precision,
            noise_scale=noise_scale,
            accuracy=read_accuracy(accuracy) if accuracy else (),
            parity_puzzles=parity_puzzles,
            also=tuple(by_name(puzzle).spec for puzzle in also or ()),
            like=like,
        )
        if declared:
            record_efforts(out, declared)
    compared = {graph.file: graph.parity for graph in manifest.graphs}
    if manifest.kernel is not None:
        kernel = manifest.kernel
        compared |= {f"compiled {name}": parity for name, parity in kernel.parity.items()}
    for what, parity in compared.items():
        console.print(
            f"{what}: {parity.same_answers}/{parity.puzzles} same answers, "
            f"{parity.same_steps}/{parity.puzzles} same steps, q_halt within "
            f"{parity.largest_q_halt_difference:.1e}",
            highlight=False,
        )
    console.print(f"bundle: {out}")


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
    from model.reference_import import (
        largest_differences,
        read_reference,
        save_reference,
        tolerated,
    )
    from puzzles.errors import UnknownKindError
    from puzzles.registry import by_name
    from training.losses import answer_loss
    from training.recipe import Loss

    with said_clearly(CheckpointError, FileExistsError, UnknownKindError):
        reference = read_reference(
            file, _reference_keys(config) if config else {}, by_name(puzzle) if puzzle else None
        )
        if check:
            apart = largest_differences(
                reference, lambda logits, labels: answer_loss(logits, labels, Loss())
            )
            for name, difference in apart.items():
                console.print(f"{name:10} {difference:.2e}", highlight=False)
            if not all(apart[name] <= tolerated(name) for name in apart):
                raise typer.Exit(1)
        save_reference(reference, out, {"torch": torch.__version__})
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
