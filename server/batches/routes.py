"""The endpoints of batches. Plain functions run in threads: what they do waits for the disk."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO, final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from server.batches.ranges import ByteRange, asked_range
from server.batches.receiving import MEDIA_TYPES, check_announced, is_gzipped, receive
from server.batches.schemas import Batch, BatchPage
from server.batches.service import Batches
from server.batches.store import ENDED
from server.metrics import ANSWERED
from server.routes import NDJSON, PROBLEMS, AppSolver
from server.security.access import charge_puzzles
from server.solver import DrainingError

UPLOAD = "/v1/batches"  # takes its body piece by piece
MOST_LISTED = 100
LONGEST_NAME, LONGEST_KEY = 128, 255  # characters
SENT_BYTES = 1 << 18  # at a time

_LINES_SCHEMA = {"type": "string", "description": "One request to solve per line."}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": _LINES_SCHEMA} for media in MEDIA_TYPES},
    }
}
_RESULTS: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {NDJSON: {"schema": {"type": "string"}}}}
    for status, what in ((200, "Results so far, one `BatchLine` each."), (206, "A range of them."))
}

router = APIRouter(responses=PROBLEMS)


async def get_batches(request: Request) -> Batches:
    """The application's batches."""
    batches = request.app.state.batches
    assert isinstance(batches, Batches)
    return batches


AppBatches = Annotated[Batches, Depends(get_batches)]


@router.post(UPLOAD, status_code=202, openapi_extra=_BODY)
async def submit(
    request: Request,
    response: Response,
    solver: AppSolver,
    batches: AppBatches,
    name: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=LONGEST_KEY)] = None,
) -> Batch:
    """Take a file of puzzles, one request to solve per line, to be solved when there is room.

    A line may have a `custom_id`. One that is wrong gets its own problem; the others are solved.
    """
    gzipped = is_gzipped(request)
    if solver.state == "draining":
        raise DrainingError
    check_announced(request, batches.upload_bytes)
    new_id = batches.new_id()
    accepted = False
    try:
        with await asyncio.to_thread(batches.intake, new_id, gzipped=gzipped) as intake:
            upload = await receive(request, intake, batches.receive_seconds)
        row = await asyncio.to_thread(
            batches.accept, new_id, upload, name=name, idempotency_key=idempotency_key
        )
        accepted = True
    finally:
        if not accepted:
            await asyncio.to_thread(batches.discard, new_id)
    if row.id == new_id:
        charge_puzzles(request, solver.metrics, upload.lines - 1)
    solver.metrics.request(ANSWERED)
    response.headers["Location"] = f"{UPLOAD}/{row.id}"
    return Batch.of(row)


@router.get(UPLOAD)
def list_batches(
    batches: AppBatches,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 20,
    after: str | None = None,
) -> BatchPage:
    """Batches, newest first."""
    rows = batches.page(limit + 1, after)
    listed = [Batch.of(row) for row in rows[:limit]]
    return BatchPage(batches=listed, next=listed[-1].id if len(rows) > limit else None)


@router.get(UPLOAD + "/{batch_id}")
def show(batch_id: str, batches: AppBatches) -> Batch:
    """A batch and how far it is."""
    return Batch.of(batches.get(batch_id))


@router.post(UPLOAD + "/{batch_id}/cancel")
def cancel(batch_id: str, batches: AppBatches) -> Batch:
    """End a batch; its results so far stay. One that has ended stays as it is."""
    return Batch.of(batches.cancel(batch_id))


@router.delete(UPLOAD + "/{batch_id}", status_code=204)
def delete(batch_id: str, batches: AppBatches) -> None:
    """End a batch and delete all that there is of it."""
    batches.delete(batch_id)


@router.get(UPLOAD + "/{batch_id}/results", response_class=Response, responses=_RESULTS)
def results(batch_id: str, request: Request, batches: AppBatches) -> Response:
    """Results in the order of the lines, up to the first that has none yet.

    What has been sent once never changes: more is asked for by a range of bytes.
    """
    stored = batches.results(batch_id)
    size_bytes, ended = stored.row.progress.results_bytes, stored.row.state in ENDED
    headers = request.headers
    asked = None if "if-range" in headers else headers.get("range")  # we have no validators
    try:
        part = asked_range(asked, size_bytes)
    except BaseException:
        stored.file.close()
        raise
    return FilePart(stored.file, part, size_bytes, ended=ended)


@final
class FilePart(StreamingResponse):
    """A file, or a range of it, which is closed with the response."""

    media_type = NDJSON

    def __init__(
        self, file: BinaryIO, part: ByteRange | None, size_bytes: int, *, ended: bool
    ) -> None:
        """size_bytes: how much of the file counts. ended: whether it stays at that."""
        sent = part or ByteRange(0, size_bytes)
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Length": str(sent.stop - sent.start),
            "Ponder-Complete": "true" if ended else "false",
        }
        if part is not None:
            whole = size_bytes if ended else "*"
            headers["Content-Range"] = f"bytes {sent.start}-{sent.stop - 1}/{whole}"
        super().__init__(_pieces(file, sent), 200 if part is None else 206, headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _pieces(file: BinaryIO, part: ByteRange) -> Iterator[bytes]:
    file.seek(part.start)
    left = part.stop - part.start
    while left and (piece := file.read(min(left, SENT_BYTES))):
        left -= len(piece)
        yield piece
