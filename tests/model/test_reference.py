"""Our networks against vectors recorded from the reference, and the import of its files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from cli.main import app
from model.checkpoint import CheckpointError, load_model, read_info
from model.reference_import import Reference, largest_differences, read_reference, tolerated
from puzzles.registry import by_name
from training.losses import answer_loss
from training.recipe import Loss

DATA = Path(__file__).parents[1] / "data"
NAMES = ("trm_mlp_sudoku", "trm_attention_sudoku", "trm_attention_learned_positions")
OUTPUTS = {f"{name}_{s}" for name in ("logits", "q_halt", "loss") for s in (1, 2, 3)}
TOLERANCE = 1e-4


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    return answer_loss(logits, labels, Loss())


def as_state_dict(name: str, path: Path) -> dict[str, object]:
    """The vectors' weights as torch.compile's state dict in `path`; their config."""
    with np.load(DATA / f"{name}.npz") as file:
        state = {
            f"_orig_mod.model.inner.{key[2:]}": torch.from_numpy(file[key])
            for key in file.files
            if key.startswith("w.")
        }
        torch.save(state, path)
        config: dict[str, object] = json.loads(str(file["config"]))
        return config


@pytest.mark.parametrize("name", NAMES)
def test_three_steps_agree_with_the_reference(name: str) -> None:
    apart = largest_differences(read_reference(DATA / f"{name}.npz", {}, None), loss)
    assert apart.keys() == OUTPUTS | {"y_3", "z_3"}
    assert all(apart[name] <= tolerated(name) for name in apart), apart


def test_a_changed_weight_is_seen_by_the_comparison() -> None:
    reference = read_reference(DATA / f"{NAMES[0]}.npz", {}, None)
    with torch.no_grad():
        reference.trm.halt.weight[0, 0] += 0.1
    apart = largest_differences(reference, loss)
    assert apart["q_halt_1"] > TOLERANCE
    assert apart["logits_1"] <= TOLERANCE


def test_sizes_of_a_known_puzzle_name_it_and_others_stay_unnamed() -> None:
    specs = [read_reference(DATA / f"{name}.npz", {}, None).spec for name in NAMES]
    assert [spec.name for spec in specs] == ["sudoku-9x9", "sudoku-9x9", "arc-10x10"]
    assert [spec.uses_task for spec in specs] == [False, False, True]


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_state_dict_imports_equally(name: str, tmp_path: Path) -> None:
    config = as_state_dict(name, tmp_path / "weights.pt")
    imported = read_reference(tmp_path / "weights.pt", config, None)
    expected = read_reference(DATA / f"{name}.npz", {}, None).trm.state_dict()
    found = imported.trm.state_dict()
    assert all(torch.equal(expected[key], found[key]) for key in expected | found)


def test_the_arrays_tell_all_of_a_mixer_but_its_recursions(tmp_path: Path) -> None:
    config = as_state_dict(NAMES[0], tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"do not tell H_cycles, L_cycles; give them"):
        read_reference(tmp_path / "weights.pt", {}, None)
    cycles = {key: config[key] for key in ("H_cycles", "L_cycles")}
    imported: Reference = read_reference(tmp_path / "weights.pt", cycles, None)
    assert imported.trm.config.blocks == 2
    assert imported.trm.config.prefix_len == 16
    assert imported.spec.name == "sudoku-9x9"


def test_rotary_attention_must_be_told_its_heads_and_length(tmp_path: Path) -> None:
    as_state_dict(NAMES[1], tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="seq_len, H_cycles, L_cycles, num_heads, pos_enc"):
        read_reference(tmp_path / "weights.pt", {}, None)


def test_a_puzzle_of_other_sizes_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"S=81, V=11; sudoku-4x4 has S=16, V=6"):
        read_reference(DATA / f"{NAMES[0]}.npz", {}, by_name("sudoku-4x4"))


def test_arrays_that_are_no_weights_of_a_trm_are_named(tmp_path: Path) -> None:
    config = as_state_dict(NAMES[0], tmp_path / "weights.pt")
    state = torch.load(tmp_path / "weights.pt", weights_only=True)
    torch.save(state | {"H_level.layers.0.x": torch.zeros(1)}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"not weights of a TRM: H_level\.layers\.0\.x"):
        read_reference(tmp_path / "weights.pt", config, None)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="cannot be read as reference weights"):
        read_reference(tmp_path / "weights.pt", {}, None)


def test_weights_without_outputs_cannot_be_checked(tmp_path: Path) -> None:
    config = as_state_dict(NAMES[0], tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="holds no outputs to check with"):
        largest_differences(read_reference(tmp_path / "weights.pt", config, None), loss)


def test_the_command_writes_a_checkpoint_that_loads(tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    command = ["import-reference", str(DATA / f"{NAMES[0]}.npz"), "--out", str(out), "--check"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert all(name in result.output for name in OUTPUTS)
    assert read_info(out).trained_supervision_steps == 16
    expected = read_reference(DATA / f"{NAMES[0]}.npz", {}, None).trm.state_dict()
    found = load_model(out).state_dict()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_the_command_exits_1_and_writes_nothing_when_outputs_differ(tmp_path: Path) -> None:
    with np.load(DATA / f"{NAMES[0]}.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["q_halt_1"] = arrays["q_halt_1"] + np.float32(2e-4)
    np.savez(tmp_path / "changed.npz", **arrays)
    out = tmp_path / "checkpoint"
    command = ["import-reference", str(tmp_path / "changed.npz"), "--out", str(out), "--check"]
    assert CliRunner().invoke(app, command).exit_code == 1
    assert not out.exists()


def test_the_command_reads_a_yaml_config_with_the_keys_under_arch(tmp_path: Path) -> None:
    as_state_dict(NAMES[0], tmp_path / "weights.pt")
    text = "arch: {H_cycles: 3, L_cycles: 6, puzzle_emb_ndim: '${.hidden_size}'}\nlr: 1e-4\n"
    (tmp_path / "config.yaml").write_text(text)
    out = tmp_path / "checkpoint"
    command = ["import-reference", str(tmp_path / "weights.pt"), "--out", str(out)]
    result = CliRunner().invoke(app, [*command, "--config", str(tmp_path / "config.yaml")])
    assert result.exit_code == 0, result.output
    assert read_info(out).config.deep_recursions == 3
    assert read_info(out).config.latent_recursions == 6
