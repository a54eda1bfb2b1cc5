"""A stopped and resumed run is the run that never stopped, bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

import model.pieces
from model.checkpoint import (
    OLD_RESUME_FILE,
    RESUME_ARRAYS,
    RESUME_FILE,
    CheckpointError,
    load_resume,
    weights_file,
)
from model.pieces import read_pieces
from tests.training.small_runs import MIXER, STREAM, data_set, recipe, state_of, train, trainer
from training.recipe import Recipe
from training.run_log import read_metrics
from training.run_state import checkpoints, newest_checkpoint


def _assert_same_checkpoints(one: Path, other: Path) -> None:
    for weights in ("raw", "ema"):
        ours = load(read_pieces(weights_file(one, weights)))
        theirs = load(read_pieces(weights_file(other, weights)))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = state_of(one), state_of(other)
    assert ours.keys() == theirs.keys()
    assert any("optimizers" in path for path in ours)
    for path, value in ours.items():
        same = torch.equal(value, theirs[path]) if torch.is_tensor(value) else value == theirs[path]
        assert same, path


def _plans(data: Path) -> dict[str, Recipe]:
    from_disk: dict[str, Any] = {"path": str(data), "weight": 2.0}
    lane: dict[str, Any] = {"puzzle": "sudoku-4x4", "batch_size": 8, "sources": [from_disk]}
    bigger = lane | {"puzzle": "sudoku-6x6", "batch_size": 4, "sources": [STREAM], "share": 0.5}
    return {
        "a data set": recipe(lanes=[lane]),
        "a stream beside a data set": recipe(lanes=[lane | {"sources": [from_disk, STREAM]}]),
        "two lanes": recipe(lanes=[lane, bigger]),
        "mlp, augmentation, Muon": recipe(
            model=MIXER,
            lanes=[lane | {"augment": True}],
            optimizer={"name": "muon", "lr": 1e-3, "muon_lr": 1e-2, "weight_decay": 0.1},
        ),
        "stable-max, AdamATan2": recipe(
            lanes=[lane], loss={"name": "stablemax"}, optimizer={"name": "adam_atan2", "lr": 1e-3}
        ),
        "bfloat16": recipe(lanes=[lane], precision="bfloat16"),
        "PyTorch's steps": recipe(lanes=[lane], runtime="torch"),
        "guesses": recipe(lanes=[lane], guesses={"share": 0.5, "again": 1.0, "count": [1, 2]}),
    }


@pytest.mark.parametrize("name", _plans(Path()))
def test_ten_steps_and_ten_more_equal_twenty(tmp_path: Path, name: str) -> None:
    plan = _plans(data_set(tmp_path / "data"))[name]
    train(trainer(plan, tmp_path / "whole"))
    train(trainer(plan, tmp_path / "halves"), until=10)
    _assert_the_second_half_equals(tmp_path / "whole", tmp_path / "halves", plan)


def _assert_the_second_half_equals(whole: Path, halves: Path, plan: Recipe) -> None:
    resumed = trainer(plan, halves)
    resumed.resume(newest_checkpoint(halves))
    train(resumed)
    assert newest_checkpoint(whole).name == newest_checkpoint(halves).name == "step-00000020"
    _assert_same_checkpoints(newest_checkpoint(whole), newest_checkpoint(halves))


def test_a_run_goes_on_from_arrays_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plans(data_set(tmp_path / "data"))["mlp, augmentation, Muon"]
    train(trainer(plan, tmp_path / "whole"))
    monkeypatch.setattr(model.pieces, "PIECE_BYTES", 1000)
    train(trainer(plan, tmp_path / "halves"), until=10)
    pieces = list(newest_checkpoint(tmp_path / "halves").glob("*.safetensors*"))
    assert {piece.name.partition(".")[0] for piece in pieces} == {"ema", "raw", "resume"}
    assert all(piece.suffix != ".safetensors" for piece in pieces)
    assert max(piece.stat().st_size for piece in pieces) == 1000
    _assert_the_second_half_equals(tmp_path / "whole", tmp_path / "halves", plan)


def test_a_run_goes_on_from_a_state_as_torch_wrote_it_before(tmp_path: Path) -> None:
    plan = _plans(data_set(tmp_path / "data"))["guesses"]
    train(trainer(plan, tmp_path / "whole"))
    train(trainer(plan, tmp_path / "halves"), until=10)
    checkpoint = newest_checkpoint(tmp_path / "halves")
    torch.save(load_resume(checkpoint), checkpoint / OLD_RESUME_FILE)
    (checkpoint / RESUME_FILE).unlink()
    (checkpoint / RESUME_ARRAYS).unlink()
    _assert_the_second_half_equals(tmp_path / "whole", tmp_path / "halves", plan)


def test_metrics_beyond_the_resumed_step_are_dropped(tmp_path: Path) -> None:
    plan = recipe(save_every=10)
    train(trainer(plan, tmp_path))
    before = [line["optimizer_step"] for line in read_metrics(tmp_path)]
    resumed = trainer(plan, tmp_path)
    resumed.resume(checkpoints(tmp_path)[0])
    train(resumed, until=10)
    assert before == [5, 10, 15, 20]
    assert [line["optimizer_step"] for line in read_metrics(tmp_path)] == [5, 10]


def test_a_damaged_resume_file_is_named(tmp_path: Path) -> None:
    train(trainer(recipe(), tmp_path), until=2)
    (newest_checkpoint(tmp_path) / RESUME_FILE).write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"resume\.json: damaged"):
        trainer(recipe(), tmp_path).resume(newest_checkpoint(tmp_path))


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    train(trainer(recipe(), tmp_path), until=2)
    other = trainer(recipe(model=recipe().model.model_copy(update={"hidden_size": 12})), tmp_path)
    with pytest.raises(
        CheckpointError, match=r"body\.answer\.weight is \(1, 8\), expected \(1, 12"
    ):
        other.resume(newest_checkpoint(tmp_path))


def test_a_checkpoint_of_other_lanes_is_refused(tmp_path: Path) -> None:
    train(trainer(recipe(), tmp_path), until=2)
    lanes = [{"puzzle": name, "sources": [STREAM]} for name in ("sudoku-4x4", "sudoku-6x6")]
    with pytest.raises(CheckpointError, match=r"resume\.json: not the state of such a run"):
        trainer(recipe(lanes=lanes), tmp_path).resume(newest_checkpoint(tmp_path))
