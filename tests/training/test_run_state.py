"""Which checkpoint of a run counts: the newest to go on, the best to use."""

from pathlib import Path

import pytest

from cli.checkpoints import chosen_checkpoint
from model.checkpoint import CheckpointInfo, save_checkpoint
from tests.model.small import LATTICE, small_trm, sudoku
from tests.training.small_runs import recipe
from training.run_state import (
    best_checkpoint,
    checkpoint_path,
    checkpoints,
    prune,
    resolve_checkpoint,
    write_recipe,
)


def _run(directory: Path, *measured: float | None, name: str = "a/validation_solved") -> Path:
    """A run with a checkpoint per figure, at steps 10, 20, ...; None: it was not validated."""
    write_recipe(directory, recipe())
    weights = small_trm(LATTICE, sudoku(4)).state_dict()
    for number, figure in enumerate(measured, 1):
        info = CheckpointInfo(
            name="small",
            config=LATTICE,
            specs=(sudoku(4),),
            optimizer_steps=10 * number,
            trained_supervision_steps=16,
            metrics={} if figure is None else {name: figure},
        )
        path = checkpoint_path(directory, 10 * number)
        save_checkpoint(path, info, ema=weights, raw=weights, resume=None)
    return directory


def _names(paths: list[Path]) -> list[int]:
    return [int(path.name.removeprefix("step-")) for path in paths]


def test_pruning_keeps_the_two_newest_and_the_best(tmp_path: Path) -> None:
    run = _run(tmp_path, 0.1, 0.7, 0.3, None, 0.5)
    prune(run)
    assert _names(checkpoints(run)) == [20, 40, 50]


def test_of_equals_the_latest_is_the_best(tmp_path: Path) -> None:
    assert best_checkpoint(_run(tmp_path, 0.1, 0.7, 0.7, 0.3)) == checkpoint_path(tmp_path, 30)


def test_without_validation_the_newest_is_taken(tmp_path: Path) -> None:
    run = _run(tmp_path, None, None)
    assert best_checkpoint(run) is None
    assert resolve_checkpoint(run) == checkpoint_path(run, 20)


def test_a_command_takes_the_best_or_the_newest_and_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run(tmp_path, 0.7, 0.3, name="a/validation_exact")
    best, newest = checkpoint_path(run, 10), checkpoint_path(run, 20)
    assert chosen_checkpoint(run, "best") == best
    assert chosen_checkpoint(run, "newest") == newest
    assert chosen_checkpoint(newest, "best") == newest  # what is no run is taken as it is
    assert capsys.readouterr().err.splitlines() == [f"checkpoint: {best}", f"checkpoint: {newest}"]
