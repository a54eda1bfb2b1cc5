"""What a map of colours tells, and what it leaves alone."""

import torch

from model.colour_maps import SHARPNESS, ColourMaps
from puzzles.arc import COLOURS
from puzzles.registry import by_name

ARC = by_name("arc-10x10")


def one_map(**leads_to: float) -> torch.Tensor:
    """(1, 100) of one map; `from_2_to_7=1.0`."""
    weights = torch.zeros(COLOURS, COLOURS)
    for name, weight in leads_to.items():
        _, held, _, colour = name.split("_")
        weights[int(held), int(colour)] = weight
    return weights.view(1, -1)


def told(text: str, maps: torch.Tensor) -> torch.Tensor:
    """(10, 10, 1 + COLOURS), by maps that tell 1."""
    network = ColourMaps(maps.shape[1] // COLOURS**2, 1)
    torch.nn.init.ones_(network.told)
    tokens = torch.from_numpy(ARC.encode(ARC.parse(text)))[None]
    with torch.no_grad():
        return network(tokens, maps).view(10, 10, -1)


def test_the_pairs_of_the_colour_that_a_map_leads_to_are_told_where_the_other_is_held() -> None:
    found = told("02/20", one_map(from_2_to_7=1.0))
    places = found[..., 1 + 7].nonzero().tolist()
    assert places == [[0, 1], [1, 0]]
    assert found[0, 1, 8] == SHARPNESS
    assert found.count_nonzero() == 2


def test_a_colour_leads_to_several_and_maps_add_up() -> None:
    maps = torch.stack([one_map(from_0_to_1=1.0, from_0_to_2=-0.5), one_map(from_0_to_1=2.0)], -1)
    found = told("0", maps.view(1, -1))[0, 0]
    assert found.tolist() == [0, 0, 3 * SHARPNESS, -0.5 * SHARPNESS, 0, 0, 0, 0, 0, 0, 0]


def test_a_cell_without_a_colour_and_the_end_mark_are_told_nothing() -> None:
    found = told("11/11", torch.ones(1, COLOURS**2))
    assert (found[:2, :2, 1:] == SHARPNESS).all()
    assert found[2:].count_nonzero() == 0
    assert found[:, 2:].count_nonzero() == 0
    assert found[..., 0].count_nonzero() == 0
