"""Pictures: the curves of a run, and what all our pictures have in common."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.run_log import RunLogError, read_metrics

PANELS: Mapping[str, str] = {
    "loss_answer": "answer loss",
    "loss_halt": "halting loss",
    "halted_exact": "exact accuracy of halted rows",
    "halted_supervision_steps": "supervision steps of halted rows",
    "validation_exact": "validation: exact accuracy (EMA)",
}
SHARES = ("halted_exact", "validation_exact")
SMOOTHED_OVER = 1 / 40  # of a curve, drawn over its faint raw points
Curve = tuple[list[float], list[float]]  # optimizer steps, values


def plot_run(run: Path, out: Path) -> None:
    """Draw metrics.jsonl of a run, a line per lane, over optimizer steps.

    Raises: RunLogError if the run has logged nothing.
    """
    curves = _curves(read_metrics(run))
    if not curves:
        raise RunLogError(f"{run}: nothing is logged yet")
    lanes = sorted({name.partition("/")[0] for name in curves if "/" in name})
    drawing = figure(16, 9)
    axes = drawing.subplots(2, 3)
    panels = axes.ravel().tolist()
    for ax, (metric, title) in zip(panels, PANELS.items(), strict=False):
        for number, lane in enumerate(lanes):
            if f"{lane}/{metric}" in curves:
                _smooth_line(ax, curves[f"{lane}/{metric}"], lane, f"C{number}")
        label(ax, title, "optimizer step", share=metric in SHARES)
        if metric.startswith("loss"):
            ax.set_yscale("log")
    rate = curves.get("learning_rate_share", ([], []))
    panels[-1].plot(*rate, color="black")
    label(panels[-1], "learning rate, share of the base rate", "optimizer step", share=True)
    handles = panels[0].get_legend_handles_labels()
    drawing.legend(*handles, loc="outside upper right", ncols=max(1, len(lanes)))
    drawing.suptitle(run.resolve().name, x=0.01, horizontalalignment="left")
    save(drawing, out)


def _curves(lines: Iterable[Mapping[str, float]]) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    for line in lines:
        for name, value in line.items():
            if name != "optimizer_step":
                steps, values = curves.setdefault(name, ([], []))
                steps.append(line["optimizer_step"])
                values.append(value)
    return curves


def _smooth_line(ax: Axes, curve: Curve, name: str, color: str) -> None:
    """Running mean; where it averages several points, these stay visible behind it."""
    steps, values = curve
    width = max(1, round(len(values) * SMOOTHED_OVER))
    if width > 1:
        ax.plot(steps, values, color=color, alpha=0.2, linewidth=1)
    sums = np.cumsum([0.0, *values])
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - width, 0)
    ax.plot(steps, (sums[ends] - sums[begins]) / (ends - begins), color=color, label=name)


def label(ax: Axes, title: str, x: str, *, share: bool) -> None:
    """Title, x axis and grid; y from 0 to 1 if it is a share."""
    ax.set_title(title, fontsize="medium")
    ax.set_xlabel(x)
    ax.grid(alpha=0.3)
    if share:
        ax.set_ylim(-0.02, 1.02)


def figure(width: float, height: float) -> Figure:
    """An empty one, without pyplot: no global state, no window system. Sizes in inches."""
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def save(drawing: Figure, out: Path) -> None:
    """Write a PNG, and the directory for it if need be."""
    out.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(out, dpi=110)
