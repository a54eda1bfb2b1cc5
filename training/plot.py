"""Pictures: the curves of a run, the figures of an evaluation."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.evaluation_figures import Evaluation
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
    figure = _figure(16, 9)
    axes = figure.subplots(2, 3)
    panels = axes.ravel().tolist()
    for ax, (metric, title) in zip(panels, PANELS.items(), strict=False):
        for number, lane in enumerate(lanes):
            if f"{lane}/{metric}" in curves:
                _smooth_line(ax, curves[f"{lane}/{metric}"], lane, f"C{number}")
        _label(ax, title, "optimizer step", share=metric in SHARES)
        if metric.startswith("loss"):
            ax.set_yscale("log")
    rate = curves.get("learning_rate_share", ([], []))
    panels[-1].plot(*rate, color="black")
    _label(panels[-1], "learning rate, share of the base rate", "optimizer step", share=True)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper right", ncols=max(1, len(lanes)))
    figure.suptitle(run.resolve().name, x=0.01, horizontalalignment="left")
    _save(figure, out)


def plot_evaluation(figures: Evaluation, out: Path) -> None:
    """Draw accuracy by supervision step, verified share by attempt, and calibration of q."""
    figure = _figure(16, 5)
    by_step, by_attempt, calibration = figure.subplots(1, 3)
    steps = [at.supervision_step for at in figures.by_step]
    by_step.plot(steps, [at.exact for at in figures.by_step], label="exact")
    by_step.plot(steps, [at.cell_accuracy for at in figures.by_step], label="cells")
    by_step.plot(steps, [at.verified for at in figures.by_step], "--", label="verified so far")
    halted = [(at.supervision_step, at.halted) for at in figures.by_step if at.halted is not None]
    by_step.plot(*zip(*halted, strict=True), ":", label="halted by q_halt > 0")
    _label(by_step, "first attempt", "supervision step", share=True)
    by_step.legend(loc="lower right")
    attempts = [at.attempts for at in figures.by_attempt]
    by_attempt.plot(attempts, [at.verified for at in figures.by_attempt], "o-", color="C2")
    by_attempt.xaxis.get_major_locator().set_params(integer=True)
    _label(by_attempt, f"verified, {figures.steps[-1]} steps each", "attempts", share=True)
    _reliability(calibration, figures)
    figure.suptitle(f"{figures.model} on {figures.puzzles:,} puzzles of {figures.data}")
    _save(figure, out)


def _reliability(ax: Axes, figures: Evaluation) -> None:
    bins = [b for b in figures.calibration.bins if b.mean_probability is not None]
    ax.plot([0, 1], [0, 1], color="grey", linewidth=1)
    largest = max(b.count for b in bins)
    ax.scatter(
        [b.mean_probability or 0.0 for b in bins],
        [b.exact or 0.0 for b in bins],
        s=[20 + 200 * b.count / largest for b in bins],
        color="C3",
    )
    ece = figures.calibration.ece
    _label(ax, f"halt probability against exactness (ECE {ece:.3f})", "probability", share=True)


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


def _label(ax: Axes, title: str, x: str, *, share: bool) -> None:
    ax.set_title(title, fontsize="medium")
    ax.set_xlabel(x)
    ax.grid(alpha=0.3)
    if share:
        ax.set_ylim(-0.02, 1.02)


def _figure(width: float, height: float) -> Figure:
    """Without pyplot: no global state, no window system."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
