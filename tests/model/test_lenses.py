"""Lenses read a question where the task says, in every turn of it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from model.lenses import MAPS, TURNS, Lenses
from puzzles.arc import ARCS, DIHEDRAL, Arc, dihedral
from puzzles.kind import Grid

ARC = ARCS[0]
RNG = np.random.default_rng(0)
GRID = RNG.integers(0, 10, (3, 4), np.uint8)
CERTAIN = 10.0  # as a logit, times SHARPNESS


def seen_by(
    lens: int, rows: str, columns: str, grid: Grid, shape: tuple[int, int], turn: int = 0
) -> Grid:
    """What one lens of four shows at the corner of a canvas; −1 where it shows nothing."""
    lenses = four()
    choice = torch.zeros(4, 2, len(MAPS))
    for axis, name in enumerate((rows, columns)):
        choice[lens, axis, [one.name for one in MAPS].index(name)] = CERTAIN
    turned = lenses.turned(choice.view(1, -1), torch.tensor([turn]))
    found = colours_of(lenses, lens, tokens_of(ARC.on_canvas(grid)), turned)
    return found[: shape[0], : shape[1]]


def four() -> Lenses:
    """Of D = 1, whose pairs see only what lens by lens is asked for."""
    lenses = Lenses(4, 1)
    torch.nn.init.zeros_(lenses.held)
    torch.nn.init.zeros_(lenses.other)
    return lenses


def colours_of(lenses: Lenses, lens: int, tokens: Tensor, choice: Tensor) -> Grid:
    with torch.no_grad():
        lenses.held[lens] = 1.0
        pairs = lenses(tokens, ARC.size, choice).view(ARC.size, ARC.size, -1)
    shown = np.asarray(pairs).round(3)
    return np.where(shown.max(-1) > 0.99, shown.argmax(-1) - 1, -1).astype(np.int8)


def tokens_of(canvas: Grid, arc: Arc = ARC) -> Tensor:
    return torch.from_numpy(arc.encode(canvas)).long().unsqueeze(0)


# A frame of 3 around a drawing, in black.
FRAMED = np.zeros((7, 8), np.uint8)
FRAMED[1:5, 2:7] = 3
FRAMED[2:4, 3:6] = [[1, 0, 5], [1, 1, 2]]
DRAWN = FRAMED[1:5, 2:7]
ENLARGED = np.kron(GRID[:, :3], np.ones((2, 3), np.uint8))
# Of each: a lens of four, its maps of rows and columns, a question, and what is shown of it.
CASES = {
    "same": (0, "same", "same", GRID, GRID),
    "mirrored": (0, "mirrored", "same", GRID, np.flipud(GRID)),
    "tiles": (0, "repeated", "repeated", GRID, np.tile(GRID, (2, 2))),
    "mirror tiles": (
        0,
        "folded",
        "folded back",
        GRID,
        np.block([[np.fliplr(GRID), GRID], [np.rot90(GRID, 2), np.flipud(GRID)]]),
    ),
    "enlarged": (0, "enlarged by 2", "enlarged by 3", GRID[:, :3], ENLARGED),
    "made small": (0, "last of 2", "second of 3", ENLARGED, GRID[:, :3]),
    "enlarged by its own size": (
        0,
        "enlarged by n",
        "repeated",
        GRID,
        np.tile(np.repeat(GRID, 3, 0), (1, 2)),
    ),
    "left half": (0, "same", "first half", GRID, GRID[:, :2]),
    "lower third": (0, "last third", "same", GRID, GRID[2:]),
    "middle third": (0, "middle third", "same", GRID, GRID[1:2]),
    "corner": (0, "first", "last", GRID, GRID[:1, 3:]),
    "drawn": (0, "drawn", "drawn", FRAMED, DRAWN),
    "drawn, mirrored": (0, "drawn", "drawn, mirrored", FRAMED, np.fliplr(DRAWN)),
    "drawn, repeated": (0, "drawn, repeated", "drawn", FRAMED, np.tile(DRAWN, (2, 1))),
    "inside of a frame": (0, "inside of drawn", "inside of drawn", FRAMED, DRAWN[1:3, 1:4]),
    "around the rarest colours": (0, "rarest", "rarest", FRAMED, DRAWN[1:3, 3:4]),
    "around the commonest colour": (0, "commonest", "commonest", FRAMED, DRAWN),
    "transposed": (3, "same", "same", GRID, GRID.T),
    "turned": (3, "mirrored", "same", GRID, np.rot90(GRID)),
    "drawn, transposed": (3, "drawn", "drawn", FRAMED, DRAWN.T),
}


@pytest.mark.parametrize("turn", range(DIHEDRAL))
@pytest.mark.parametrize("name", CASES)
def test_maps_show_what_they_are_named_for_in_every_turn(name: str, turn: int) -> None:
    lens, rows, columns, question, shown = CASES[name]
    expected = dihedral(shown, turn)
    found = seen_by(lens, rows, columns, dihedral(question, turn), expected.shape, turn)
    np.testing.assert_array_equal(found, expected)


def test_all_maps_are_named_once() -> None:
    assert len({one.name for one in MAPS}) == len(MAPS)
    assert {one.flipped for one in MAPS} == {one.name for one in MAPS}


def test_a_shift_shows_the_cell_before() -> None:
    found = seen_by(1, "before", "after", GRID, (3, 4))
    expected = np.full((3, 4), -1)
    expected[1:, :3] = GRID[:2, 1:]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("rows", [one.name for one in MAPS])
def test_a_grid_may_lie_anywhere(rows: str) -> None:
    lenses, choice = four(), torch.zeros(4, 2, len(MAPS))
    choice[0, 0, [one.name for one in MAPS].index(rows)] = CERTAIN
    choice[0, 1, 0] = CERTAIN
    corner = ARC.on_canvas(FRAMED[:6, :5])
    moved = np.roll(corner, (4, 5), (0, 1))
    at_corner, elsewhere = (
        colours_of(lenses, 0, tokens_of(canvas), choice.view(1, -1)) for canvas in (corner, moved)
    )
    np.testing.assert_array_equal(elsewhere[4:, 5:], at_corner[:6, :5])
    assert (elsewhere[:4] == -1).all()


@torch.no_grad()
def test_a_choice_of_all_maps_shows_each_in_part() -> None:
    lenses = four()
    lenses.held[0] = 1.0
    choice = torch.zeros(1, lenses.numbers)
    shown = lenses(tokens_of(ARC.on_canvas(GRID)), ARC.size, choice).view(10, 10, -1)
    assert 0.1 < float(shown[0, 0, 1:].sum()) < 1
    assert float(shown[..., 0].abs().max()) == 0  # the end mark


@torch.no_grad()
def test_what_shows_nothing_is_told_apart_from_another_colour() -> None:
    lenses = four()
    lenses.other[0] = 1.0
    choice = torch.zeros(4, 2, len(MAPS))
    choice[0, :, 0] = CERTAIN
    shown = lenses(tokens_of(ARC.on_canvas(GRID)), ARC.size, choice.view(1, -1)).view(10, 10, -1)
    assert shown[0, 0].round().sum() == 10  # all symbols but the one that lies there
    assert float(shown[5, 5].abs().max()) < 1e-3


@torch.no_grad()
def test_a_row_without_a_grid_shows_nothing() -> None:
    lenses = four()
    lenses.held[:] = 1.0
    shown = lenses(torch.zeros(1, 100, dtype=torch.int64), 10, None)
    assert float(shown.abs().max()) == 0


def test_every_turn_is_undone_by_its_inverse() -> None:
    lenses, numbers = four(), torch.randn(1, 4 * 2 * len(MAPS))
    assert len(TURNS) == DIHEDRAL
    for turn, inverse in enumerate((0, 3, 2, 1, 4, 5, 6, 7)):
        once = lenses.turned(numbers, torch.tensor([turn]))
        assert torch.equal(lenses.turned(once, torch.tensor([inverse])), numbers)
