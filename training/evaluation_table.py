"""An evaluation, as tables for people."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from training.evaluation_figures import Evaluation


def evaluation_table(figures: Evaluation) -> RenderableType:
    """Accuracy of all puzzles, by rating and by source; below it halting and calibration."""
    title = f"{figures.model} on {figures.puzzles:,} puzzles of {figures.data}, shares in %"
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", overflow="fold", min_width=len("rating 10-29"))
    table.add_column("puzzles", justify="right")
    for step in figures.steps:
        table.add_column(f"exact\nat {step}", justify="right")
    table.add_column(f"cells\nat {figures.steps[0]}", justify="right")
    table.add_column("verified\nin 1", justify="right")
    if figures.attempts > 1:
        table.add_column(f"verified\nin {figures.attempts}", justify="right")
    table.add_column("mean\nsteps", justify="right")
    last = "all"
    for group in figures.groups:
        if group.by != last:
            table.add_section()
            last = group.by
        table.add_row(
            f"{group.by} {group.name}" if group.by == "rating" else group.name,
            f"{group.puzzles:,}",
            *(_percent(share) for share in group.exact),
            _percent(group.cell_accuracy[0]),
            _percent(group.verified[0]),
            *(_percent(share) for share in group.verified[1:][-1:]),
            f"{group.mean_supervision_steps:.1f}",
        )
    return Group(table, _halting(figures))


def _percent(share: float) -> str:
    return f"{share:.2%}".removesuffix("%")


def _halting(figures: Evaluation) -> str:
    common = figures.steps[0]
    at = figures.by_step[common - 1]
    halted = f"q_halt > 0 within {common} steps: {at.halted:.1%} of the puzzles"
    if at.halted_exact is not None:
        halted += f", {at.halted_exact:.1%} of them exact when it first was"
    calibration = figures.calibration
    return (
        f"{halted}.\n"
        f"Halt probability against exactness: Brier {calibration.brier:.4f}, "
        f"expected calibration error {calibration.ece:.4f}.\n"
        f"{figures.reverted} puzzles were exact at some step up to {common} and not at {common}."
    )
