"""The tables of an evaluation, as a model card shows them."""

from typing import NamedTuple

from tests.training.evaluations import figures_of, parts_of
from training.evaluation import Plan
from training.evaluation_figures import Origin
from training.evaluation_table import evaluation_markdown


class Line(NamedTuple):
    """A row of a Markdown table."""

    name: str
    figures: list[str]


def _lines(markdown: str, title: str) -> list[Line]:
    table = markdown.split(f"{title}:\n\n")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    return [Line(row[0], row[1:]) for row in cells]


def test_a_card_has_the_figures_by_group_by_budget_and_by_share() -> None:
    figures = figures_of().model_copy(
        update={"origin": Origin(command="ponder evaluate", machine="a toaster", wall_seconds=61.2)}
    )
    card = evaluation_markdown(figures)
    depth = _lines(card, "One attempt, ever deeper")
    assert depth[0] == ("all", ["4", "50.00", "75.00", "75.00", "75.00", "96.88"])
    assert [line.name for line in depth[1:]] == [
        *("rating 0", "rating 1-9", "rating 60+"),
        *("easy", "hard"),
    ]
    assert _lines(card, "Attempts of 4 supervision steps each")[-1] == (
        "hard",
        ["2", "50.00", "100.00", "4.0", "7"],
    )
    budgets = _lines(card, "What a budget gets, and what it costs per puzzle")
    assert budgets[-1] == ("2 × 4", ["100.00", "100.00", "2.8", "7"])
    shares = _lines(card, "Attempts of 4 steps until a share is verified")
    assert shares[-1] == ("99.99", ["2", "2.8", "7"])
    assert "`ponder evaluate`, 1 min 1 s on a toaster." in card


def test_a_card_of_an_interrupted_evaluation_says_so() -> None:
    first, _ = parts_of(Plan((2, 4), part=2))
    assert "on 2 puzzles of by hand (interrupted: 4 were planned)" in evaluation_markdown(
        first.figures
    )
