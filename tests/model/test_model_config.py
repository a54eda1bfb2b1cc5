"""Networks that cannot be are refused before they are built."""

import pytest
from pydantic import ValidationError

from model.body import ShapeError
from model.config import ModelConfig
from puzzles.kind import PuzzleSpec
from tests.model.small import ATTENTION, LATTICE, MIXER, small_trm, sudoku


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cell": "attention", "hidden_size": 10, "heads": 4}, "no multiple of heads"),
        ({"cell": "mlp", "hidden_size": 8, "position": "rope"}, "belongs to attention"),
        ({"cell": "lattice", "hidden_size": 8, "prefix_len": 1}, "equivariant"),
        ({"cell": "mlp", "hidden_size": 8, "tasks": 2}, "prefix_len must be at least 1"),
        ({"cell": "mlp", "hidden_size": 0}, "greater than 0"),
        ({"cell": "transformer", "hidden_size": 8}, "'mlp', 'attention', 'lattice' or 'palette'"),
        ({"cell": "mlp", "hidden_size": 8, "position": "roep"}, "'rope', 'learned' or 'none'"),
        ({"cell": "lattice", "hidden_size": 8, "lenses": 2}, "lenses belong to the palette"),
        ({"cell": "mlp", "hidden_size": 8, "colour_maps": 2}, "colour_maps belong to the palette"),
        ({"cell": "mlp", "hidden_size": 8, "layers": 2}, "Extra inputs"),
    ],
)
def test_an_impossible_config_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate(keys)


def test_a_sequence_cell_takes_one_puzzle_only() -> None:
    with pytest.raises(ShapeError, match="length of one puzzle, got 2"):
        small_trm(MIXER, sudoku(4), sudoku(6))


def test_a_lattice_needs_boxes() -> None:
    plain = PuzzleSpec(kind="x", name="x", height=2, width=2, seq_len=4, vocab_size=3)
    with pytest.raises(ShapeError, match="needs rows, columns and boxes"):
        small_trm(LATTICE, plain)


@pytest.mark.parametrize("config", [LATTICE, MIXER, ATTENTION], ids=lambda config: config.cell)
def test_questions_of_another_size_are_refused(config: ModelConfig) -> None:
    with pytest.raises(ShapeError, match="questions of 81 tokens"):
        small_trm(config, sudoku(4)).state_len(81)
