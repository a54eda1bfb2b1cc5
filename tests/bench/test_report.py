"""What a report keeps, and how it looks."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.console import Console

from bench.report import BenchError, Chart, Figure, Label, Report, Row, this_machine
from bench.report_view import plot_report, report_table

SPEED = Chart(x="batch", y="speed", series="contender", panel="model")


def row(contender: str, batch: Label, *rounds: float) -> Row:
    labels: dict[str, Label] = {"model": "tiny", "batch": batch, "contender": contender}
    return Row(labels=labels, figures={"speed": Figure.of(rounds, "1/s")})


def report(*rows: Row, charts: tuple[Chart, ...] = (SPEED,)) -> Report:
    return Report(
        benchmark="step",
        command="ponder bench step",
        machine=this_machine(),
        settings={"threads": 2, "OMP_WAIT_POLICY": None},
        rows=rows,
        charts=charts,
        notes=("torch.compile: no compiler",),
    )


def text_of(shown: Report) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(report_table(shown))
    return captured.get()


def test_a_figure_keeps_its_rounds_in_order_beside_median_lowest_and_highest() -> None:
    figure = Figure.of([3.0, 1.0, 2.0], "ms")
    assert (figure.median, figure.lowest, figure.highest) == (2.0, 1.0, 3.0)
    assert figure.rounds == (3.0, 1.0, 2.0)


def test_a_report_reads_back_what_it_wrote(tmp_path: Path) -> None:
    written = report(row("ours", 1, 5.0, 6.0))
    written.write(tmp_path / "deep" / "step.json")
    assert Report.model_validate_json((tmp_path / "deep" / "step.json").read_text()) == written
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["step.json"]


def test_a_report_of_another_form_is_refused() -> None:
    raw = json.loads(report(row("ours", 1, 5.0)).model_dump_json())
    with pytest.raises(ValidationError):
        Report.model_validate(raw | {"mood": "good"})


def test_the_machine_says_what_it_is_and_what_is_installed() -> None:
    machine = this_machine("a GPU", packages=("numpy", "no-such-package"))
    assert machine.cores >= 1
    assert machine.accelerator == "a GPU"
    assert machine.cpu
    assert list(machine.versions) == ["numpy"]


def test_the_table_shows_spread_only_where_rounds_lie_apart() -> None:
    text = text_of(report(row("steady", 1, 100.0, 101.0, 102.0), row("shaky", 1, 50.0, 80.0, 99.0)))
    steady, shaky = (line for line in text.splitlines() if "steady" in line or "shaky" in line)
    assert steady.split()[-1] == "101"
    assert shaky.split()[-2:] == ["80.0", "(50.0-99.0)"]


def test_the_table_says_what_was_left_out_and_which_settings_held() -> None:
    text = text_of(report(row("ours", 1, 5.0)))
    assert "Left out: torch.compile: no compiler" in text
    assert "threads 2" in text
    assert "OMP_WAIT_POLICY" not in text


def test_shares_are_shown_as_percentages_and_missing_figures_as_nothing() -> None:
    whole = Row(labels={"contender": "a"}, figures={"share": Figure.of([0.123], "share")})
    none = Row(labels={"contender": "b"}, figures={})
    lines = [line.split() for line in text_of(report(whole, none)).splitlines()]
    assert ["a", "12.3"] in lines
    assert ["b"] in lines


@pytest.mark.parametrize("places", [(1, 4, 16), ("hard", "easy", "other")])
def test_a_chart_is_drawn_over_numbers_and_over_names(
    places: tuple[Label, ...], tmp_path: Path
) -> None:
    rows = [row(name, place, 1.0, 3.0) for name in ("ours", "theirs") for place in places]
    plot_report(report(*rows), tmp_path / "new" / "step.png")
    assert (tmp_path / "new" / "step.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_without_charts_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="nothing to draw"):
        plot_report(report(row("ours", 1, 5.0), charts=()), tmp_path / "step.png")
