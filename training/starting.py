"""Begin a run from the weights of another one: fine-tuning, a longer run, new tasks beside old."""

from collections.abc import Sequence
from pathlib import Path

import torch

from kernel.layout import Network
from kernel.weights import KERNEL_FILE, LatticeWeights, WeightsError
from model.checkpoint import MODEL_FILE, CheckpointError, load_model, mismatches
from model.config import ModelConfig
from model.trm import TASK_TABLE, TinyRecursiveModel
from puzzles.known_tasks import KnownTask
from training.known_table import checkpoint_of, first_tasks
from training.recipe import RecipeError
from training.run_state import resolve_checkpoint

FREE = {"tasks", "latent_recursions", "deep_recursions", "halt_from"}  # no weight's shape hangs on


def start_from(trm: TinyRecursiveModel, origin: Path, known: Sequence[KnownTask]) -> None:
    """Fill a model with the averaged weights of a checkpoint, a run's best one, or a bundle.

    known: the tasks of `trm`'s table, in its order. Those that are known there by name keep their
    embeddings; the others begin as the mean of all.
    Raises: CheckpointError; RecipeError if the network there has another shape.
    """
    checkpoint = checkpoint_of(resolve_checkpoint(origin))
    of_bundle = not (checkpoint / MODEL_FILE).exists() and (checkpoint / KERNEL_FILE).exists()
    source = _lattice(checkpoint / KERNEL_FILE, trm) if of_bundle else load_model(checkpoint)
    before, after = source.config.model_dump(), trm.config.model_dump()
    differing = [
        f"{key} is {before[key]} there, {after[key]} here"
        for key in before
        if key not in FREE and before[key] != after[key]
    ]
    if differing:
        raise RecipeError(f"start_from = {str(origin)!r}: {'; '.join(differing)}")
    state = source.state_dict()
    own = trm.state_dict()
    if TASK_TABLE in state and TASK_TABLE in own:
        rows = first_tasks(checkpoint)
        state[TASK_TABLE] = _table(state[TASK_TABLE], source, rows, known)
    if problems := mismatches(own, state):
        raise CheckpointError(f"{checkpoint} does not fit the recipe: {'; '.join(problems)}")
    trm.load_state_dict(state)


def lattice_config(network: Network) -> ModelConfig:
    """The shape of the model that compiled code knows as this network."""
    return ModelConfig(
        cell="lattice",
        hidden_size=network.hidden_size,
        blocks=network.blocks,
        latent_recursions=network.latent_recursions,
        deep_recursions=network.deep_recursions,
        expansion=network.width / network.hidden_size,
        unit_attention=network.unit_key,
    )


def _lattice(weights_file: Path, trm: TinyRecursiveModel) -> TinyRecursiveModel:
    """The lattice of a bundle, for the puzzles of `trm`. Raises: CheckpointError."""
    try:
        weights = LatticeWeights.load(weights_file)
    except WeightsError as error:
        raise CheckpointError(str(error)) from error
    if trm.config.cell != "lattice":
        raise CheckpointError(f"{weights_file}: of a lattice, the recipe's is {trm.config.cell!r}")
    lattice = TinyRecursiveModel(lattice_config(weights.network), trm.specs)
    state = {name: torch.from_numpy(array) for name, array in weights.state().items()}
    lattice.load_state_dict(state)
    return lattice


def _table(
    table: torch.Tensor,
    source: TinyRecursiveModel,
    first_tasks: dict[str, int],
    known: Sequence[KnownTask],
) -> torch.Tensor:
    """Embeddings (tasks · rows of each, E) in the order of `known`."""
    config = source.config
    of_each = table.unflatten(0, (config.tasks, config.table_rows // config.tasks))
    mean = of_each.mean(0)
    return torch.cat(
        [
            of_each[first_tasks[task.name] // config.task_variants]
            if task.name in first_tasks
            else mean
            for task in known
        ]
    )
