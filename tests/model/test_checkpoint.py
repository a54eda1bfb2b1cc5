"""The checkpoint: what is saved comes back; what is damaged is named."""

import json
import pickle
from pathlib import Path

import pytest
import torch

import model.pieces
from model.checkpoint import (
    MODEL_FILE,
    OLD_RESUME_FILE,
    RESUME_ARRAYS,
    RESUME_FILE,
    CheckpointError,
    load_model,
    load_resume,
    load_voters,
    read_info,
    save_checkpoint,
    weights_file,
    weights_sha256,
)
from tests.model.small import LATTICE, save_small, small_trm, sudoku


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_small(small_trm(LATTICE, sudoku(4), sudoku(6)), tmp_path / "checkpoint")


def edit_model_json(checkpoint: Path, **changes: object) -> None:
    path = checkpoint / MODEL_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_saved_model_comes_back_with_equal_weights(checkpoint: Path) -> None:
    saved, loaded = small_trm(LATTICE, sudoku(4), sudoku(6)), load_model(checkpoint)
    assert loaded.config == saved.config
    assert loaded.specs == saved.specs
    assert not loaded.training
    expected = saved.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(expected[name], value) for name, value in loaded.state_dict().items())


def test_further_networks_come_back_each_of_its_own_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.pieces, "PIECE_BYTES", 2048)
    first, *others = (
        small_trm(LATTICE.model_copy(update={"hidden_size": size}), sudoku(4), seed=size)
        for size in (8, 8, 12)
    )
    path, info = tmp_path / "several", read_info(save_small(first, tmp_path / "first"))
    state = first.state_dict()
    save_checkpoint(path, info, ema=state, raw=state, resume=None, voters=others)
    for saved, loaded in zip(others, load_voters(path), strict=True):
        assert loaded.config == saved.config
        assert not loaded.training
        assert torch.equal(loaded.halt.weight, saved.halt.weight)
    for piece in path.glob("voter-2.safetensors.*"):
        piece.unlink()
    with pytest.raises(CheckpointError, match=r"voter-2\.safetensors: no such file"):
        load_voters(path)


def test_what_an_older_checkpoint_does_not_say_of_further_networks(tmp_path: Path) -> None:
    first, second = (small_trm(LATTICE, sudoku(4), seed=seed) for seed in (1, 2))
    path, info = tmp_path / "two", read_info(save_small(first, tmp_path / "first"))
    state = first.state_dict()
    save_checkpoint(path, info, ema=state, raw=state, resume=None, voters=(second,))
    edit_model_json(path, voters=[])
    [loaded] = load_voters(path)
    assert torch.equal(loaded.halt.weight, second.halt.weight)


def test_raw_weights_are_kept_beside_the_averaged_ones(checkpoint: Path) -> None:
    ema, raw = load_model(checkpoint).state_dict(), load_model(checkpoint, "raw").state_dict()
    assert all(torch.equal(ema[name] + 1, raw[name]) for name in ema)


def test_a_checkpoint_is_never_overwritten(checkpoint: Path) -> None:
    with pytest.raises(FileExistsError, match="never overwritten"):
        save_checkpoint(checkpoint, read_info(checkpoint), ema={}, raw={}, resume=None)


def test_a_directory_without_model_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.json: no such file; is this a checkpoint"):
        load_model(tmp_path)


def test_an_unknown_key_in_model_json_is_an_error(checkpoint: Path) -> None:
    edit_model_json(checkpoint, optimiser="adam")
    with pytest.raises(CheckpointError, match="optimiser"):
        read_info(checkpoint)


def test_another_format_version_is_an_error(checkpoint: Path) -> None:
    edit_model_json(checkpoint, format_version=99)
    with pytest.raises(CheckpointError, match="format version 99, expected 1"):
        read_info(checkpoint)


def test_truncated_weights_are_an_error(checkpoint: Path) -> None:
    path = weights_file(checkpoint, "ema")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"ema\.safetensors: damaged"):
        load_model(checkpoint)


@pytest.fixture
def cut(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same checkpoint, its arrays in pieces of 2,000 bytes."""
    monkeypatch.setattr(model.pieces, "PIECE_BYTES", 2000)
    return save_small(small_trm(LATTICE, sudoku(4), sudoku(6)), checkpoint.with_name("cut"))


def test_weights_in_pieces_are_the_same_weights(checkpoint: Path, cut: Path) -> None:
    assert weights_sha256(cut, "ema") == weights_sha256(checkpoint, "ema")
    assert not weights_file(cut, "ema").exists()
    whole, joined = load_model(checkpoint).state_dict(), load_model(cut).state_dict()
    assert all(torch.equal(whole[name], array) for name, array in joined.items())


@pytest.mark.parametrize(
    ("lost", "message"),
    [(0, "000: no such file"), (1, "001: no such file"), (-1, "safetensors: damaged")],
)
def test_a_lost_piece_is_an_error(cut: Path, lost: int, message: str) -> None:
    pieces = sorted(cut.glob("ema.safetensors.*"))
    assert len(pieces) > 2
    pieces[lost].unlink()
    with pytest.raises(CheckpointError, match=message):
        load_model(cut)


def test_missing_weights_are_an_error(checkpoint: Path) -> None:
    weights_file(checkpoint, "ema").unlink()
    with pytest.raises(CheckpointError, match=r"ema\.safetensors: no such file"):
        load_model(checkpoint)


def test_every_array_that_does_not_fit_the_config_is_named(checkpoint: Path) -> None:
    edit_model_json(checkpoint, config=LATTICE.model_copy(update={"hidden_size": 4}).model_dump())
    with pytest.raises(CheckpointError) as raised:
        load_model(checkpoint)
    message = str(raised.value)
    assert "y_start is (8,), expected (4,)" in message
    assert "body.blocks.0.own.weight is (32, 8), expected (16, 4)" in message


def test_missing_and_unknown_arrays_are_named(checkpoint: Path) -> None:
    edit_model_json(checkpoint, config=LATTICE.model_copy(update={"blocks": 2}).model_dump())
    with pytest.raises(CheckpointError, match=r"body\.blocks\.1\.own\.weight is missing"):
        load_model(checkpoint)


def test_the_rest_of_a_run_comes_back(checkpoint: Path) -> None:
    assert load_resume(checkpoint) == {"optimizer_step": 7}


def test_an_imported_checkpoint_cannot_be_resumed(checkpoint: Path) -> None:
    (checkpoint / RESUME_FILE).unlink()
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        load_resume(checkpoint)


def test_damage_in_the_rest_of_a_run_is_named(checkpoint: Path) -> None:
    for content in ("nothing", "[1]", '{"tensor": "lost"}', '{"object": 1}', '{"dict": 1}'):
        (checkpoint / RESUME_FILE).write_text(content)
        with pytest.raises(CheckpointError, match=r"resume\.json: damaged"):
            load_resume(checkpoint)
    (checkpoint / RESUME_ARRAYS).write_bytes(b"nothing")
    (checkpoint / RESUME_FILE).write_text('{"dict": []}')
    with pytest.raises(CheckpointError, match=r"resume\.safetensors: damaged"):
        load_resume(checkpoint)


class Malicious:
    """Creates a file when it is unpickled as code."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.target,)


def test_code_in_a_resume_file_is_refused_and_not_run(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "was-here"
    torch.save({"optimizer_step": Malicious(target)}, checkpoint / OLD_RESUME_FILE)
    with pytest.raises(CheckpointError, match="damaged"):
        load_resume(checkpoint)
    assert not target.exists()
    pickle.loads(pickle.dumps(Malicious(target)))  # noqa: S301 (the test's own bytes)
    assert target.exists()  # so the file would have been there
