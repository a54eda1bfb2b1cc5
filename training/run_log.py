"""What a run writes down as it goes: metrics.jsonl first, TensorBoard beside it."""

import json
from pathlib import Path
from typing import final

from torch.utils.tensorboard.writer import SummaryWriter

METRICS_FILE = "metrics.jsonl"


class RunLogError(Exception):
    """A run without readable metrics."""


@final
class RunLog:
    """Appends one JSON line per logged optimizer step; flushed at once, so a crash loses none."""

    def __init__(self, run: Path, *, after: int) -> None:
        """Go on behind optimizer step `after`; what an earlier run logged beyond it is dropped."""
        run.mkdir(parents=True, exist_ok=True)
        path = run / METRICS_FILE
        if path.exists():
            _truncate(path, after)
        self._file = path.open("a", buffering=1)
        self._board = SummaryWriter(str(run / "tensorboard"), purge_step=after + 1)

    def write(self, optimizer_step: int, values: dict[str, float]) -> None:
        """Log named values of one optimizer step."""
        self._file.write(json.dumps({"optimizer_step": optimizer_step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, optimizer_step)

    def close(self) -> None:
        """Flush and close both."""
        self._file.close()
        self._board.close()


def read_metrics(run: Path) -> list[dict[str, float]]:
    """What was logged, one entry per optimizer step, ascending. Raises: RunLogError."""
    path = run / METRICS_FILE
    try:
        lines = _whole_lines(path)
    except FileNotFoundError as error:
        raise RunLogError(f"{path}: no such file; is this a run directory?") from error
    by_step: dict[int, dict[str, float]] = {}
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            by_step.setdefault(values["optimizer_step"], {}).update(values)
        except (ValueError, KeyError, TypeError) as error:
            raise RunLogError(f"{path}, line {number}: damaged: {error}") from error
    return [by_step[optimizer_step] for optimizer_step in sorted(by_step)]


def _whole_lines(path: Path) -> list[str]:
    """All lines but one that a crash, or a run still at it, has left without its end."""
    return path.read_text().split("\n")[:-1]


def _truncate(path: Path, after: int) -> None:
    kept = [line for line in _whole_lines(path) if json.loads(line)["optimizer_step"] <= after]
    aside = path.with_name(f"{path.name}.partial")
    aside.write_text("".join(f"{line}\n" for line in kept))
    aside.replace(path)
