"""A picture of tasks: the question, what was answered, what is right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from puzzles.arc import COLOURS
from puzzles.kind import Grid
from training.task_solves import Answered

MOST_ROWS = 40
# The colours in which ARC's tasks are always shown.
PALETTE = ListedColormap(
    [
        "#000000", "#0074d9", "#ff4136", "#2ecc40", "#ffdc00",
        "#aaaaaa", "#f012be", "#ff851b", "#7fdbff", "#870c25",
    ]
)  # fmt: skip


def draw_tasks(
    answered: Sequence[Answered], answers: Mapping[tuple[str, int], Grid], path: Path
) -> None:
    """One row a question, the first `MOST_ROWS`: question, two candidates, truth."""
    shown = answered[:MOST_ROWS]
    figure = Figure(figsize=(9, 2.2 * len(shown)), layout="constrained")
    rows = figure.subplots(len(shown), 4, squeeze=False)
    for axes, one in zip(rows, shown, strict=True):
        right = answers[one.question.name, one.question.index]
        _draw(axes[0], one.question.grid, f"{one.question.name} #{one.question.index + 1}")
        for i in (0, 1):
            if i < len(one.candidates):
                candidate = one.candidates[i]
                mark = "right" if np.array_equal(candidate.answer, right) else "wrong"
                _draw(axes[1 + i], candidate.answer, f"{mark}, {candidate.share:.0%} of votes")
            else:
                axes[1 + i].set_axis_off()
        _draw(axes[3], right, "truth")
    figure.savefig(path, dpi=80)


def _draw(axes: Axes, grid: Grid, title: str) -> None:
    axes.imshow(grid, cmap=PALETTE, vmin=0, vmax=COLOURS - 1)
    axes.set_title(title, fontsize=9)
    axes.set_xticks(np.arange(0.5, grid.shape[1] - 1), [])
    axes.set_yticks(np.arange(0.5, grid.shape[0] - 1), [])
    axes.grid(color="#555555", linewidth=0.5)
    axes.tick_params(length=0)
