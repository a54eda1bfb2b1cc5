"""`ponder batch`: files of puzzles that a server solves when nobody else waits."""

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import batch_view
from cli.console import said_clearly

if TYPE_CHECKING:
    from client import Batch, Ponder
    from client.encoding import SolveOptions

NOT_ALL_SOLVED, INTERRUPTED = 1, 130  # exit statuses; 2 is an error

Url = Annotated[
    str | None, typer.Option(help="Server [PONDER_URL, http://127.0.0.1:8000]; key: PONDER_API_KEY")
]
BatchId = Annotated[str, typer.Argument(metavar="ID", help="Of the batch, as `submit` says it.")]
Json = Annotated[bool, typer.Option("--json", help="As the API answers, on one line.")]
Wait = Annotated[bool, typer.Option("--wait", help="Until it has ended; Ctrl-C leaves it running.")]


def submit(
    file: Annotated[
        Path, typer.Argument(help="JSON lines, puzzles one a line, or CSV with a question column.")
    ],
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same file and key make no second one.")
    ] = None,
    gzip: Annotated[bool, typer.Option(help="Pack it on the way.")] = True,
    kind: Annotated[str | None, typer.Option(help="Of puzzles that are not JSON [sudoku].")] = None,
    effort: Annotated[
        Literal["low", "standard", "max"] | None, typer.Option(help="What they may cost.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Steps per attempt.")] = None,
    attempts: Annotated[int | None, typer.Option(min=1, help="Attempts.")] = None,
    wait: Wait = False,
    json: Json = False,
    url: Url = None,
) -> None:
    """Hand in a file of puzzles, .gz or not. Exit status 1 with --wait if not all are solved."""
    from client.encoding import SolveOptions

    puzzle = SolveOptions(kind=kind, effort=effort, max_steps=max_steps, attempts=attempts)
    with _server(url, patient=wait) as ponder:
        batch = _send(ponder, file, puzzle, name=name, key=key or secrets.token_hex(), gzip=gzip)
        _show(ponder, batch, wait=wait, json=json)


def status(batch_id: BatchId, wait: Wait = False, json: Json = False, url: Url = None) -> None:
    """How far a batch is. Exit status 1 with --wait if not all of it is solved."""
    with _server(url, patient=wait) as ponder:
        _show(ponder, ponder.batches.get(batch_id), wait=wait, json=json)


def results(
    batch_id: BatchId,
    out: Annotated[
        Path | None, typer.Option(help="File, which goes on behind what it holds already.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for those to come.")] = False,
    url: Url = None,
) -> None:
    """Its results so far, one JSON line each, in the order of the puzzles."""
    with _server(url, patient=follow) as ponder, _on_interrupt("the same command fetches the rest"):
        if out is None:
            for part in ponder.batches.results_bytes(batch_id, follow=follow):
                sys.stdout.buffer.write(part)
                sys.stdout.buffer.flush()
            return
        with batch_view.download_bar(out.name) as progress:
            got = ponder.batches.download(batch_id, out, follow=follow, progress=progress)
        rest = "complete" if got.complete else "so far; the same command fetches the rest"
        _tell(f"{out}: {got.size_bytes} bytes, {rest}")


def cancel(batch_id: BatchId, json: Json = False, url: Url = None) -> None:
    """End a batch; its results so far stay."""
    with _server(url) as ponder:
        _show(ponder, ponder.batches.cancel(batch_id), wait=False, json=json)


def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=100, help="So many at most.")] = 20,
    json: Json = False,
    url: Url = None,
) -> None:
    """Batches, newest first."""
    with _server(url) as ponder:
        for batch in ponder.batches.list(limit=limit).batches:
            typer.echo(batch.model_dump_json() if json else batch_view.line_of(batch))


@contextmanager
def _server(url: str | None, *, patient: bool = False) -> Iterator["Ponder"]:
    """The server of a command; what goes wrong is one red message and exit status 2.

    patient: outlast a restart of the server, in place of saying soon that nobody is there.
    """
    from cli.batch_files import UnreadableFileError
    from client import Ponder, PonderError, Retries

    retries = Retries() if patient else Retries(attempts=3)
    known = (PonderError, UnreadableFileError, OSError)
    with said_clearly(*known), Ponder(url, retries=retries) as ponder:
        yield ponder


def _send(
    ponder: "Ponder", file: Path, puzzle: "SolveOptions", *, name: str | None, key: str, gzip: bool
) -> "Batch":
    """Hand it in. The key is told where nobody knows whether it has arrived."""
    from cli.batch_files import source_of
    from client import ConnectionFailedError, TimedOutError

    source = source_of(file)
    again = f"if it has arrived, this makes no second one: ponder batch submit {file} --key {key}"
    bar = batch_view.upload_bar(file.name, source.size_bytes)
    try:
        with bar as progress, _on_interrupt(again):
            return ponder.batches.submit(
                source.puzzles,
                puzzle=puzzle,
                name=name,
                idempotency_key=key,
                gzip=gzip,
                progress=progress,
            )
    except (ConnectionFailedError, TimedOutError) as error:
        if error.sent:
            _tell(again)
        raise


def _show(ponder: "Ponder", batch: "Batch", *, wait: bool, json: bool) -> None:
    """Raises: typer.Exit if it was waited for and not all is solved."""
    if wait and not batch.has_ended:
        back = f"back to it: ponder batch status {batch.id} --wait"
        with _on_interrupt(back):
            _tell(f"waiting for {batch.id}; Ctrl-C leaves it running")
            with batch_view.work_bar(batch) as progress:
                batch = ponder.batches.wait(batch.id, progress=progress)
    typer.echo(batch.model_dump_json() if json else batch_view.lines_of(batch))
    if wait and (batch.state != "done" or batch.counts.solved < batch.counts.total):
        raise typer.Exit(NOT_ALL_SOLVED)


@contextmanager
def _on_interrupt(words: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        _tell(words)
        raise typer.Exit(INTERRUPTED) from None


def _tell(text: str) -> None:
    typer.echo(text, err=True)
