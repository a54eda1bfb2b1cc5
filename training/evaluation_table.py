"""An evaluation as tables: for the terminal, and in Markdown for model cards."""

from collections.abc import Iterator
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from training.evaluation_figures import BudgetFigures, Evaluation, GroupFigures

SHARES = (0.9, 0.99, 0.999, 0.9999)  # whose price is told


class _Rows(NamedTuple):
    """A table; the first column is text, the others are figures."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def evaluation_table(figures: Evaluation) -> RenderableType:
    """All tables for a terminal; below them halting and calibration."""
    return Group(_title(figures), *map(_drawn, _tables(figures)), *_remarks(figures))


def evaluation_markdown(figures: Evaluation) -> str:
    """The same in Markdown, with the command, the machine and the time it took."""
    parts = [
        f"{_title(figures)}.",
        *map(_marked_down, _tables(figures)),
        "\n".join(_remarks(figures)),
    ]
    if figures.origin is not None:
        origin = figures.origin
        parts.append(f"`{origin.command}`, {_duration(origin.wall_seconds)} on {origin.machine}.")
    return "\n\n".join(parts) + "\n"


def _title(figures: Evaluation) -> str:
    of = f" (interrupted: {figures.planned:,} were planned)"
    return (
        f"{figures.model} on {figures.puzzles:,} puzzles of {figures.data}"
        f"{of if figures.puzzles < figures.planned else ''}, shares in %"
    )


def _tables(figures: Evaluation) -> Iterator[_Rows]:
    yield _depth(figures)
    if figures.attempts:
        yield _attempts(figures)
    yield _budgets(figures)
    if figures.attempts:
        yield _prices(figures)


def _depth(figures: Evaluation) -> _Rows:
    headings = (
        *("", "puzzles"),
        *(f"exact at {steps}" for steps in figures.steps),
        *(f"verified within {steps}" for steps in figures.steps),
        f"cells at {figures.steps[0]}",
    )
    rows = (
        (
            *_named(group),
            *(_percent(at.exact) for at in group.depth),
            *(_percent(at.verified) for at in group.depth),
            _percent(group.cell_accuracy),
        )
        for group in figures.groups
    )
    return _Rows("One attempt, ever deeper", headings, tuple(rows))


def _attempts(figures: Evaluation) -> _Rows:
    headings = ("", "puzzles", *(f"verified in {count}" for count in figures.attempts))
    rows = (
        (
            *_named(group),
            *(_percent(at.verified) for at in group.attempts),
            *_costs(group.most),
        )
        for group in figures.groups
    )
    title = f"Attempts of {figures.attempt_steps} supervision steps each"
    return _Rows(title, (*headings, "mean steps", "p99 steps"), tuple(rows))


def _budgets(figures: Evaluation) -> _Rows:
    rows = (
        (
            f"{at.attempts} × {at.supervision_steps}",
            _percent(at.exact),
            _percent(at.verified),
            *_costs(at),
        )
        for at in figures.budgets
    )
    headings = ("attempts × steps", "exact", "verified", "mean steps", "p99 steps")
    return _Rows("What a budget gets, and what it costs per puzzle", headings, tuple(rows))


def _prices(figures: Evaluation) -> _Rows:
    rows = []
    for share in SHARES:
        enough = [at for at in figures.by_attempt if at.verified >= share]
        cost = (f"{enough[0].attempts}", *_costs(enough[0])) if enough else ("not reached", "", "")
        rows.append((f"{share:.4%}".rstrip("0%").rstrip("."), *cost))
    title = f"Attempts of {figures.attempt_steps} steps until a share is verified"
    return _Rows(title, ("verified", "attempts", "mean steps", "p99 steps"), tuple(rows))


def _named(group: GroupFigures) -> tuple[str, str]:
    name = f"rating {group.name}" if group.by == "rating" else group.name
    return name, f"{group.puzzles:,}"


def _costs(at: BudgetFigures) -> tuple[str, str]:
    return f"{at.mean_supervision_steps:,.1f}", f"{at.p99_supervision_steps:,.0f}"


def _percent(share: float) -> str:
    return f"{share:.2%}".removesuffix("%")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _drawn(rows: _Rows) -> Table:
    table = Table(title=rows.title, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for place, heading in enumerate(rows.headings):
        table.add_column(
            heading.replace(" ", "\n", 1),
            justify="right" if place else "left",
            overflow="fold",
            min_width=len("rating 10-29") if not heading else None,
        )
    for row in rows.rows:
        table.add_row(*row)
    return table


def _marked_down(rows: _Rows) -> str:
    lines = [f"{rows.title}:", "", _line(rows.headings)]
    lines.append(_line(("---", *("---:" for _ in rows.headings[1:]))))
    return "\n".join([*lines, *map(_line, rows.rows)])


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _remarks(figures: Evaluation) -> Iterator[str]:
    common = figures.steps[0]
    at = figures.by_step[common - 1]
    halted = f"q_halt > 0 within {common} steps: {at.halted:.1%} of the puzzles"
    if at.halted_exact is not None:
        halted += f", {at.halted_exact:.1%} of them exact when it first was"
    calibration = figures.calibration
    yield f"{halted}."
    yield (
        f"Halt probability against exactness: Brier {calibration.brier:.4f}, "
        f"expected calibration error {calibration.ece:.4f}."
    )
    yield f"{figures.reverted} puzzles were exact at some step up to {common} and not at {common}."
