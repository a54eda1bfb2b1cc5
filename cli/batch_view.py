"""Batches as `ponder batch` shows them, and bars on stderr while something goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from cli.console import errors

if TYPE_CHECKING:
    from client import Batch


@contextmanager
def upload_bar(name: str, size_bytes: int | None) -> Iterator[Callable[[int], None]]:
    """Told how many bytes of the file have been sent."""
    with _bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        line = bar.add_task(f"sending {name}", total=size_bytes)
        yield lambda sent: bar.update(line, completed=sent)


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int], None]]:
    """Told how many bytes the file has."""
    with _bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        line = bar.add_task(f"fetching {name}", total=None)
        yield lambda size: bar.update(line, completed=size)


@contextmanager
def work_bar(batch: "Batch") -> Iterator[Callable[["Batch"], None]]:
    """Told how far the batch is."""
    with _bar(MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        line = bar.add_task(batch.state, total=batch.counts.total)

        def show(now: "Batch") -> None:
            bar.update(line, completed=now.counts.answered, description=now.state)

        yield show


def lines_of(batch: "Batch") -> str:
    """A batch for people: what it is, what came of it, what is wrong."""
    counts = batch.counts
    said = [line_of(batch)]
    said += [f"  {counts.solved} solved, {counts.unsolved} unsolved, {counts.invalid} invalid"]
    if batch.problem is not None:
        said += [f"  {batch.problem.code}: {batch.problem.detail}"]
    return "\n".join(said)


def line_of(batch: "Batch") -> str:
    """A batch on one line."""
    counts = batch.counts
    name = f"  {batch.name}" if batch.name else ""
    return f"{batch.id}  {batch.state}  {counts.answered}/{counts.total}{name}"


def _bar(*columns: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
