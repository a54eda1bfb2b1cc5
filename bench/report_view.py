"""A report for people: a table, and pictures of its charts."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Picture
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from bench.report import BenchError, Chart, Figure, Label, Report, Row

PANEL_INCHES = (7.0, 5.0)
PANELS_ACROSS = 2
WIDE_SPREAD = 0.1  # of the median: below it a table shows the median alone


def report_table(report: Report) -> RenderableType:
    """A row per row: medians, with lowest and highest round where these lie apart."""
    table = Table(title=f"ponder bench {report.benchmark}", box=box.SIMPLE_HEAD, pad_edge=False)
    labels = list(report.rows[0].labels) if report.rows else []
    figures = list(dict.fromkeys(name for row in report.rows for name in row.figures))
    for name in labels:
        table.add_column(name, no_wrap=True)
    for name in figures:
        unit = next(row.figures[name].unit for row in report.rows if name in row.figures)
        table.add_column(f"{name}\n{_unit(unit)}", justify="right", overflow="fold")
    before: Row | None = None
    for row in report.rows:
        said = before is not None and row.labels[labels[0]] == before.labels[labels[0]]
        if before is not None and not said:
            table.add_section()
        table.add_row(
            *("" if said and name == labels[0] else str(row.labels[name]) for name in labels),
            *(_cell(row.figures.get(name)) for name in figures),
        )
        before = row
    machine = report.machine
    where = [f"{machine.cpu}, {machine.cores} cores", *filter(None, [machine.accelerator])]
    versions = (f"{name} {number}" for name, number in machine.versions.items())
    settings = (f"{name} {value}" for name, value in report.settings.items() if value is not None)
    footer = "\n".join(", ".join(line) for line in ((*where, *versions), settings))
    footer += "\nMedian of the rounds (lowest-highest where these lie apart)."
    return Group(table, footer, *(f"Left out: {note}" for note in report.notes))


def plot_report(report: Report, out: Path) -> None:
    """Draw every chart's panels, two in a row. Raises: BenchError if the report has no chart."""
    panels = [
        (chart, title, rows) for chart in report.charts for title, rows in _panels(report, chart)
    ]
    if not panels:
        raise BenchError(f"bench {report.benchmark}: nothing to draw")
    across = min(PANELS_ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    width, height = PANEL_INCHES
    picture = Picture(figsize=(width * across, height * down), layout="constrained")
    FigureCanvasAgg(picture)
    for place, (chart, title, rows) in enumerate(panels, start=1):
        ax = picture.add_subplot(down, across, place)
        _draw(ax, chart, rows)
        ax.set_title(title, fontsize="medium")
    machine = report.machine
    where = machine.accelerator or f"{machine.cpu}, {machine.cores} cores"
    picture.suptitle(f"ponder bench {report.benchmark}: {where}")
    out.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(out, dpi=110)


def _unit(unit: str) -> str:
    return "%" if unit == "share" else unit


def _scale(unit: str) -> int:
    return 100 if unit == "share" else 1


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    scale = _scale(figure.unit)
    text = _number(scale * figure.median)
    if figure.highest - figure.lowest > WIDE_SPREAD * abs(figure.median):
        text += f" ({_number(scale * figure.lowest)}-{_number(scale * figure.highest)})"
    return text


def _number(value: float) -> str:
    """Three or four digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _panels(report: Report, chart: Chart) -> list[tuple[str, list[Row]]]:
    rows = [row for row in report.rows if chart.y in row.figures]
    if chart.panel is None:
        return [(chart.y, rows)] if rows else []
    names = dict.fromkeys(row.labels[chart.panel] for row in rows)
    return [
        (
            f"{chart.panel} {name}: {chart.y}",
            [row for row in rows if row.labels[chart.panel] == name],
        )
        for name in names
    ]


def _draw(ax: Axes, chart: Chart, rows: Sequence[Row]) -> None:
    series = list(dict.fromkeys(row.labels[chart.series] for row in rows))
    places = list(dict.fromkeys(row.labels[chart.x] for row in rows))
    numeric = all(isinstance(place, int) for place in places)
    for number, name in enumerate(series):
        own = [row for row in rows if row.labels[chart.series] == name]
        at: list[Label] = [row.labels[chart.x] for row in own]
        figures = [row.figures[chart.y] for row in own]
        scale = _scale(figures[0].unit)
        heights = scale * np.array([f.median for f in figures])
        spread = scale * np.array(
            [[f.median - f.lowest for f in figures], [f.highest - f.median for f in figures]]
        )
        if numeric:
            ax.errorbar(np.array(at), heights, spread, marker="o", capsize=3, label=str(name))
        else:
            width = 0.8 / len(series)
            centre = np.array([places.index(place) for place in at]) + (number + 0.5) * width - 0.4
            ax.bar(centre, heights, width, yerr=spread, capsize=3, label=str(name))
    if numeric:
        ax.set_xscale("log", base=2)
    ax.set_xticks(places if numeric else range(len(places)), [str(place) for place in places])
    ax.set_ylim(bottom=0)
    ax.set_xlabel(chart.x)
    ax.set_ylabel(_unit(rows[0].figures[chart.y].unit))
    ax.grid(alpha=0.3)
    # Under each other: names are long, and side by side they would push the axes together.
    ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=1)
