"""What makes the steps of a checkpoint that is evaluated."""

from pathlib import Path

import pytest

from export.kernel_runtime import KernelStepper
from export.subject import open_subject
from model.checkpoint import CheckpointError
from model.stepper import TorchStepper
from tests.model.small import LATTICE, MIXER, save_small, small_trm, sudoku

FOUR = sudoku(4)


def test_a_lattices_steps_are_compiled(tmp_path: Path) -> None:
    checkpoint = save_small(small_trm(LATTICE, FOUR), tmp_path / "checkpoint")
    assert isinstance(open_subject(checkpoint, FOUR.name).stepper, KernelStepper)
    with pytest.raises(CheckpointError, match="no graphs for onnxruntime: export it"):
        open_subject(checkpoint, FOUR.name, runtime="onnxruntime")


def test_other_networks_steps_are_pytorchs(tmp_path: Path) -> None:
    checkpoint = save_small(small_trm(MIXER, FOUR), tmp_path / "checkpoint")
    assert isinstance(open_subject(checkpoint, FOUR.name).stepper, TorchStepper)
    with pytest.raises(CheckpointError, match="compiled steps are of a lattice"):
        open_subject(checkpoint, FOUR.name, runtime="compiled")
