"""What the palette cell must not tell apart, and what it must."""

import pytest
import torch

from model.body import ShapeError
from model.config import ModelConfig
from model.palette import SYMBOLS, PaletteBody, look_along
from model.trm import TinyRecursiveModel
from puzzles.arc import COLOURS
from puzzles.registry import by_name
from tests.model.small import small_trm, sudoku

PALETTE = ModelConfig(
    cell="palette",
    hidden_size=8,
    blocks=1,
    latent_recursions=2,
    deep_recursions=2,
    expansion=2.0,
    tasks=3,
    task_variants=2,
)
TEN, TWENTY = by_name("arc-10x10"), by_name("arc-20x20")
RECOLOUR = torch.tensor([0, 1, 2, 7, 3, 5, 4, 6, 11, 8, 10, 9])  # of tokens: 1-9 exchanged


def tokens_of(text: str, size: int = 10) -> torch.Tensor:
    arc = by_name(f"arc-{size}x{size}")
    return torch.from_numpy(arc.encode(arc.parse(text)))[None]


def logits_of(trm: TinyRecursiveModel, tokens: torch.Tensor, task: int = 0) -> torch.Tensor:
    carry = trm.start(torch.zeros(1, trm.state_len(tokens.shape[1])))
    with torch.no_grad():
        for _ in range(2):
            output = trm(tokens, carry, torch.tensor([task]))
            carry = output.carry
    return output.logits[0]


def test_the_same_weights_serve_another_canvas() -> None:
    trm = small_trm(PALETTE, TEN.spec)
    larger = trm.for_puzzles((TWENTY.spec,))
    assert (larger.specs, larger.training) == ((TWENTY.spec,), False)
    with torch.no_grad():
        larger.body.get_parameter("answer.weight").mul_(2)  # memory of its own
    full, wide = tokens_of("0123456789/" * 9 + "9876543210"), tokens_of("12/34", 20)
    assert torch.equal(logits_of(trm, full), logits_of(small_trm(PALETTE, TEN.spec), full))
    assert logits_of(larger, wide).shape == (400, 12)
    with pytest.raises(ShapeError, match="sudoku-4x4"):
        trm.for_puzzles((sudoku(4),))


def test_an_even_canvas_is_the_same_whatever_its_side() -> None:
    """A mean of what is alike everywhere has to weigh the same on every canvas."""
    trm = small_trm(PALETTE, TEN.spec, TWENTY.spec)
    block = trm.body.get_submodule("blocks.0")
    cell = torch.randn(1, 1, 1, SYMBOLS, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        block.get_parameter("around").zero_()  # a border differs, and longer ones weigh less
        of_ten, of_twenty = (block(cell.expand(1, n, n, SYMBOLS, 8))[0, 5, 5] for n in (10, 20))
    torch.testing.assert_close(of_ten, of_twenty)


@pytest.mark.parametrize("more", [{}, {"lenses": 4}, {"lenses": 4, "colour_maps": 2}], ids=str)
def test_exchanging_colours_in_question_and_task_exchanges_them_in_the_answer(
    more: dict[str, int],
) -> None:
    trm = small_trm(PALETTE.model_copy(update=more), TEN.spec)
    tokens = tokens_of("0123/4567/8910")
    plain = logits_of(trm, tokens)
    recoloured = logits_of(trm, RECOLOUR[tokens.long()].int())
    assert trm.body.tasks is not None
    with torch.no_grad():
        parts = trm.body.tasks[:, : (1 + SYMBOLS) * 8].unflatten(1, (1 + SYMBOLS, 8))
        parts[:, RECOLOUR[1:]] = parts[:, 1:].clone()  # part i + 1 is of symbol i, token i + 1
        if more.get("colour_maps"):
            maps = trm.body.tasks[:, -2 * COLOURS**2 :].unflatten(1, (COLOURS, COLOURS, 2))
            exchanged = RECOLOUR[2:] - 2
            maps[:, exchanged[:, None], exchanged] = maps.clone()
    both = logits_of(trm, RECOLOUR[tokens.long()].int())
    torch.testing.assert_close(both[:, RECOLOUR[1:]], plain[:, 1:], rtol=0, atol=5e-5)
    assert (recoloured - both).abs().max() > 1e-3  # the task's part is what tells colours apart


def test_black_and_the_end_mark_are_no_colours_like_the_others() -> None:
    trm = small_trm(PALETTE, TEN.spec)
    assert trm.body.tasks is not None
    with torch.no_grad():
        trm.body.tasks.zero_()
    blue, black = logits_of(trm, tokens_of("12/21")), logits_of(trm, tokens_of("02/20"))
    assert (blue[:, 3] - black[:, 2]).abs().max() > 1e-3


def test_each_variant_of_a_task_has_its_row_or_shares_it() -> None:
    own = small_trm(PALETTE, TEN.spec)
    shared = small_trm(PALETTE.model_copy(update={"task_rows": "task"}), TEN.spec)
    assert own.body.tasks is not None
    assert shared.body.tasks is not None
    assert (len(own.body.tasks), len(shared.body.tasks)) == (6, 3)
    rows = shared.body.look_up(torch.arange(6))
    assert shared.body.variants is not None
    expected = shared.body.tasks[[0, 0, 1, 1, 2, 2]] + shared.body.variants[[0, 1] * 3]
    torch.testing.assert_close(rows, expected)


def test_the_same_weights_answer_on_every_canvas() -> None:
    trm = small_trm(PALETTE, TEN.spec, TWENTY.spec)
    assert logits_of(trm, tokens_of("01/10")).shape == (100, 12)
    assert logits_of(trm, tokens_of("01/10", 20)).shape == (400, 12)
    with pytest.raises(ShapeError, match="this model knows"):
        trm.state_len(900)


def test_what_lenses_choose_is_turned_with_the_task() -> None:
    more = {"lenses": 4, "colour_maps": 1, "task_rows": "task"}
    trm = small_trm(PALETTE.model_copy(update=more), TEN.spec)
    body = trm.body
    assert isinstance(body, PaletteBody)
    assert body.lenses is not None
    assert body.variants is not None
    with torch.no_grad():
        body.variants.zero_()
    plain, turned = (body.look_up(torch.tensor([task])) for task in (2, 3))
    assert plain is not None
    assert turned is not None
    parts = [(1 + SYMBOLS) * 8, body.lenses.numbers, COLOURS**2]
    of_symbols, choice, maps = plain.split(parts, dim=1)
    once = body.lenses.turned(choice, torch.tensor([1]))
    assert not torch.equal(once, choice)
    torch.testing.assert_close(turned, torch.cat([of_symbols, once, maps], dim=1))


def test_along_a_ray_counts_what_lies_before() -> None:
    line = torch.tensor([0.5, 3.0, 1.0, -1.0, 2.0])
    h = line.view(1, 1, 5, 1, 1).expand(1, 5, 5, 1, 4)
    down, up, right, left = look_along(h)[0, 2, :, 0].T
    torch.testing.assert_close(right, torch.tensor([0.0, 0.5, 3.0, 3.0, 3.0]))
    torch.testing.assert_close(left, torch.tensor([3.0, 2.0, 2.0, 2.0, 0.0]))
    torch.testing.assert_close(down, line.clamp(min=0))
    torch.testing.assert_close(up, line.clamp(min=0))


def test_other_puzzles_and_odd_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match="canvases of ten colours"):
        TinyRecursiveModel(PALETTE, (sudoku(4),))
    with pytest.raises(ShapeError, match="no multiple of 4 rays"):
        TinyRecursiveModel(PALETTE.model_copy(update={"hidden_size": 6}), (TEN.spec,))
    with pytest.raises(ValueError, match="no prefix and no positions"):
        ModelConfig(cell="palette", hidden_size=8, prefix_len=1)
