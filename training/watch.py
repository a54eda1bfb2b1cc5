"""The figure that a run is judged by: which validation is the best, and when it has collapsed."""

from collections.abc import Mapping, Sequence

from training.recipe import Stop

# A share of solved puzzles below it is no success that a run could fall from.
MEANINGFUL = 0.05


class TrainingCollapsedError(RuntimeError):
    """Validation has fallen far below its best and stayed there; the best checkpoint stands."""


def watched_figure(metrics: Mapping[str, float]) -> float | None:
    """How many puzzles its first lane with a validation set solves; None without such a lane.

    Runs that did not count those yet are judged by what is exact after the last step.
    """
    for name in ("validation_solved", "validation_exact"):
        for key, value in metrics.items():  # in the order of the lanes
            if key.endswith(f"/{name}"):
                return value
    return None


def is_best(figures: Sequence[float]) -> bool:
    """Whether the last validation is as good as any before it; figures: at least one."""
    return figures[-1] >= max(figures)


def has_collapsed(figures: Sequence[float], stop: Stop) -> bool:
    """Whether the last `stop.validations` all lie below `stop.below` times the best before them."""
    before, latest = figures[: -stop.validations], figures[-stop.validations :]
    best = max(before, default=0.0)
    return best >= MEANINGFUL and max(latest) < stop.below * best
