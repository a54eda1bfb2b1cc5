"""Recipes: TOML and overrides in, a frozen value or one clear line out."""

from pathlib import Path

import pytest
import torch

from model.trm import TinyRecursiveModel
from puzzles.registry import by_name
from training.recipe import Recipe, RecipeError, read_recipe
from training.run_state import RECIPE_FILE, check_resumable, write_recipe

TEXT = """
name = "tiny"
optimizer_steps = 10
[model]
cell = "lattice"
hidden_size = 8
[optimizer]
lr = 1e-3
[[lanes]]
puzzle = "sudoku-4x4"
sources = [{ generate = true }]
"""
SHIPPED = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


def _read(directory: Path, text: str, *overrides: str) -> Recipe:
    path = directory / "tiny.toml"
    path.write_text(text)
    return read_recipe(path, overrides)


def test_overrides_replace_keys_at_any_depth(tmp_path: Path) -> None:
    plan = _read(
        tmp_path,
        TEXT,
        "optimizer.lr=0.5",
        "lanes.0.batch_size=3",
        "halting.max_supervision_steps = 4",
        "name=other",
        "optimizer.betas=[0.8, 0.9]",
    )
    assert plan.optimizer.lr == 0.5
    assert plan.lanes[0].batch_size == 3
    assert plan.halting.max_supervision_steps == 4
    assert plan.name == "other"
    assert plan.optimizer.betas == (0.8, 0.9)


LANE = '[[lanes]]\npuzzle = "sudoku-6x6"\nsources = [{ generate = true }]\n'


@pytest.mark.parametrize(
    ("text", "override", "message"),
    [
        (TEXT + "warmup = 3\n", None, r"lanes\.0\.warmup: Extra inputs are not permitted"),
        (TEXT, "optimizer.learning_rate=1", r"optimizer\.learning_rate: Extra inputs are not"),
        (TEXT, "optimizer.lr=-1", r"optimizer\.lr: Input should be greater than 0"),
        (TEXT, "optimizer.name=sgd", r"optimizer\.name: Input should be 'adamw', 'adam_atan2' or"),
        (TEXT, "loss.label_smoothing=0.1", "label_smoothing needs name = 'softmax'"),
        (TEXT, "model.prefix_len=2", "a lattice has no prefix"),
        (TEXT, "lanes.0.puzzle=sudoku-5x5", r"lanes\.0\.puzzle: .*unknown puzzle 'sudoku-5x5'"),
        (TEXT, "lanes.0.sources.0.path=here", "either path = DIRECTORY or generate = true"),
        (TEXT, "lanes.0.sources.0.extra_givens=[3, 1]", r"extra_givens = \[3, 1\]: expected"),
        (TEXT, "lanes.7.batch_size=3", "there is no '7' to set a part of"),
        (TEXT, "name.part=3", "there is no 'name.part' to set"),
        (TEXT, "optimizer", "--set optimizer: expected key.sub=value"),
        (TEXT + LANE.replace("6x6", "4x4"), None, "sudoku-4x4, sudoku-4x4: a puzzle has one lane"),
        (TEXT + LANE, "model.cell=mlp", "cell 'mlp' fits one puzzle, got sudoku-4x4, sudoku-6x6"),
        ("name =", None, "not valid TOML"),
        ("", None, r"optimizer_steps: Field required"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, text: str, override: str | None, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        _read(tmp_path, text, *([override] if override else []))


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml: no such recipe"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_is_valid_and_named_after_its_file(path: Path) -> None:
    assert read_recipe(path).name.replace("-", "_") == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_has_a_model_of_the_size_it_speaks_of(path: Path) -> None:
    plan = read_recipe(path)
    with torch.device("meta"):
        trm = TinyRecursiveModel(
            plan.model, tuple(by_name(lane.puzzle).spec for lane in plan.lanes)
        )
    parameters = sum(weight.numel() for weight in trm.parameters())
    # The paper's network has 5,028,866, of which 513 are q's second output, which nothing reads.
    # Its attention network has 6,828,034; ours reads twelve tokens, as ARC has, in place of eleven.
    expected = {
        "sudoku_mlp_paper": 5_028_353,
        "sudoku_lattice_cpu": 18_593,
        "arc1_gpu": 6_828_034 - 513 + 2 * 512,
    }
    assert parameters == expected.get(path.stem, parameters)
    assert parameters < 7_000_000


def test_a_run_may_go_on_longer_but_not_otherwise(tmp_path: Path) -> None:
    write_recipe(tmp_path, _read(tmp_path, TEXT))
    check_resumable(tmp_path, _read(tmp_path, TEXT, "optimizer_steps=99", "schedule.warmup=7"))
    changed = _read(tmp_path, TEXT, "optimizer.lr=0.5", "seed=3")
    with pytest.raises(RecipeError, match="was made with another seed, optimizer;"):
        check_resumable(tmp_path, changed)


def test_a_run_without_its_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=rf"{RECIPE_FILE}: cannot be read"):
        check_resumable(tmp_path, _read(tmp_path, TEXT))
