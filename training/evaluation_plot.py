"""An evaluation, as a picture."""

from pathlib import Path

from matplotlib.axes import Axes

from training.evaluation_figures import Evaluation, GroupFigures
from training.plot import figure, label, save


def plot_evaluation(figures: Evaluation, out: Path) -> None:
    """Draw accuracy against compute, steps against difficulty, one attempt, and calibration."""
    drawing = figure(14, 9)
    compute, difficulty, attempt, calibration = drawing.subplots(2, 2).ravel().tolist()
    _compute(compute, figures)
    _difficulty(difficulty, figures)
    _one_attempt(attempt, figures)
    _reliability(calibration, figures)
    drawing.suptitle(f"{figures.model} on {figures.puzzles:,} puzzles of {figures.data}")
    save(drawing, out)


def _compute(ax: Axes, figures: Evaluation) -> None:
    ax.plot(
        [at.mean_supervision_steps for at in figures.by_step],
        [at.verified for at in figures.by_step],
        label=f"depth: one attempt of up to {figures.steps[-1]} steps",
    )
    if figures.by_attempt:
        ax.plot(
            [at.mean_supervision_steps for at in figures.by_attempt],
            [at.verified for at in figures.by_attempt],
            ".-",
            label=f"attempts of {figures.attempt_steps} steps, up to {len(figures.by_attempt)}",
        )
    ax.set_xscale("log")
    label(ax, "verified, by compute", "mean supervision steps per puzzle", share=True)
    ax.legend()


def _difficulty(ax: Axes, figures: Evaluation) -> None:
    """Of the largest budget: means, and 99th percentiles above them."""
    rated = [group for group in figures.groups if group.by == "rating"]
    names = [
        f"{group.name}\n{group.puzzles:,} puzzles\n{group.most.verified:.2%} verified"
        for group in rated
    ]
    mean = [group.most.mean_supervision_steps for group in rated]
    ax.plot(names, mean, "o-", label="mean")
    p99 = [group.most.p99_supervision_steps for group in rated]
    ax.plot(names, p99, "o--", label="99th percentile")
    ax.set_yscale("log")
    label(ax, f"supervision steps, {_budget(figures.groups[0])}", "rating (guesses)", share=False)
    ax.legend()


def _budget(group: GroupFigures) -> str:
    most = group.most
    attempts = "one attempt" if most.attempts == 1 else f"up to {most.attempts} attempts"
    return f"{attempts} of {most.supervision_steps}"


def _one_attempt(ax: Axes, figures: Evaluation) -> None:
    steps = [at.supervision_step for at in figures.by_step]
    ax.plot(steps, [at.exact for at in figures.by_step], label="exact")
    ax.plot(steps, [at.cell_accuracy for at in figures.by_step], label="cells")
    ax.plot(steps, [at.verified for at in figures.by_step], "--", label="verified so far")
    halted = [(at.supervision_step, at.halted) for at in figures.by_step if at.halted is not None]
    ax.plot(*zip(*halted, strict=True), ":", label="halted by q_halt > 0")
    label(ax, "one attempt", "supervision step", share=True)
    ax.legend()


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
    label(ax, f"halt probability against exactness (ECE {ece:.3f})", "probability", share=True)
