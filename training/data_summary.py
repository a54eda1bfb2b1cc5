"""What a data set holds, as a table for people."""

from pathlib import Path

import numpy as np
from rich.table import Table

from training.dataset import DatasetInfo, PuzzleSet


def summary_table(directory: Path, info: DatasetInfo) -> Table:
    """Givens and difficulty by split and source. Raises: DatasetError if an array is damaged."""
    table = Table(title=f"{info.puzzle}, regime {info.regime}: {directory}")
    table.add_column("split", no_wrap=True, min_width=len("validation"))
    table.add_column("source", overflow="fold")
    for title in ("puzzles", "givens", "mean", "rating 0", "mean rating", "hardest"):
        table.add_column(title, justify="right")
    for split, split_info in info.splits.items():
        if split_info.count:
            puzzles = PuzzleSet.open(directory, split)
            for index, source in enumerate(info.sources):
                _add_row(table, split, source, puzzles, puzzles.sources == index)
            if np.unique(puzzles.sources).size > 1:
                _add_row(table, split, "all", puzzles, np.ones(len(puzzles), np.bool_))
            table.add_section()
    return table


def _add_row(
    table: Table, split: str, source: str, puzzles: PuzzleSet, chosen: np.typing.NDArray[np.bool_]
) -> None:
    if not chosen.any():
        return
    givens = np.count_nonzero(puzzles.questions[chosen], axis=1)
    ratings = puzzles.ratings[chosen]
    table.add_row(
        split,
        source,
        f"{len(ratings):,}",
        f"{givens.min()}-{givens.max()}",
        f"{givens.mean():.1f}",
        f"{np.mean(ratings == 0):.1%}",
        f"{ratings.mean():.1f}",
        f"{ratings.max()}",
    )
