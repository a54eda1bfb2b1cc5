"""What a run writes down as it goes: metrics.jsonl first, TensorBoard beside it."""

import json
from pathlib import Path
from typing import final

from torch.utils.tensorboard.writer import SummaryWriter

METRICS_FILE = "metrics.jsonl"


@final
class RunLog:
    """Appends one JSON line per logged optimizer step; flushed at once, so a crash loses none."""

    def __init__(self, run: Path) -> None:
        run.mkdir(parents=True, exist_ok=True)
        self._file = (run / METRICS_FILE).open("a", buffering=1)
        self._board = SummaryWriter(str(run / "tensorboard"))

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
    """All lines of a run; a later line of a resumed run replaces the one it repeats."""
    by_step: dict[int, dict[str, float]] = {}
    for line in (run / METRICS_FILE).read_text().splitlines():
        values = json.loads(line)
        by_step.setdefault(values["optimizer_step"], {}).update(values)
    return [by_step[optimizer_step] for optimizer_step in sorted(by_step)]
