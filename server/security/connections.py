"""What a client may make the server keep before there is a request: connections, and heads.

uvicorn bounds neither the head of a request, nor its trailers, nor the extensions of its chunks,
nor how many requests may be waiting behind one another on a connection.
"""

from asyncio import BaseTransport, Transport
from functools import partial
from http import HTTPStatus
from typing import Any, cast, final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.errors import respond
from server.metrics import Metrics
from server.security.errors import HeadTooLargeError, TooManyConnectionsError
from server.security.headers import with_headers

LONGEST_HEAD_BYTES = 64 * 1024
MOST_HEADERS = 100
MOST_CONNECTIONS = 10_000  # unless more are asked for
FILES_BESIDE = 128  # open beside connections: batches, their results, bundles
MOST_WAITING = 16  # requests behind one another
FRAMING_BYTES = 16  # beside each byte of a body, at most: sizes of chunks, their extensions


@final
class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1; sends 431 and 503 by itself, and hangs up."""

    def __init__(self, *args: Any, most: int, metrics: Metrics, **kwargs: Any) -> None:
        """most: connections at once."""
        super().__init__(*args, **kwargs)
        self._most = most
        self._metrics = metrics
        self._received_bytes = 0  # of this request, without the first piece
        self._body_bytes = 0
        self._head_bytes = 0
        self._headers = 0
        self._too_large = HeadTooLargeError(LONGEST_HEAD_BYTES, MOST_HEADERS)

    def connection_made(self, transport: BaseTransport) -> None:
        """As uvicorn's, if there is room for one more."""
        super().connection_made(cast("Transport", transport))
        if len(self.connections) > self._most:
            self._refuse(TooManyConnectionsError(self._most))

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, until more came beside the body than a client has a reason to send."""
        if self.transport.is_closing():
            return
        self._received_bytes += len(data)
        super().data_received(data)
        beside = self._received_bytes - (1 + FRAMING_BYTES) * self._body_bytes
        if beside > LONGEST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(self._too_large)

    def on_message_begin(self) -> None:
        """Counts anew: the piece in which a request begins may hold others before it."""
        self._received_bytes = self._body_bytes = self._head_bytes = self._headers = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Counts it. Raises: HeadTooLargeError."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts it; trailers are headers too. Raises: HeadTooLargeError."""
        self._headers += 1
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """As uvicorn's, if not too many requests wait behind another. Raises: HeadTooLargeError."""
        super().on_headers_complete()
        if len(self.pipeline) > MOST_WAITING:
            raise self._too_large

    def on_body(self, body: bytes) -> None:
        """Counts it."""
        self._body_bytes += len(body)
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """What the parser gave up at, most often because one of the above raised."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # in the middle of another answer
        elif self._is_too_large:
            self._refuse(self._too_large)
        else:
            super().send_400_response(msg)

    @property
    def _is_too_large(self) -> bool:
        return self._head_bytes > LONGEST_HEAD_BYTES or self._headers > MOST_HEADERS

    def _count(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._is_too_large:
            raise self._too_large

    def _refuse(self, error: Exception) -> None:
        """Answer without the application, and hang up."""
        response = respond(error, self._metrics)
        status = HTTPStatus(response.status_code)
        headers = [*with_headers(response.raw_headers), (b"connection", b"close")]
        lines = [b"%s: %s" % header for header in headers]
        head = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), *lines]
        self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()


def connections_limit(asked: int | None) -> int:
    """As asked, or as many as the limit on open files leaves room for."""
    if asked is not None:
        return asked
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(MOST_CONNECTIONS, max(FILES_BESIDE, soft - FILES_BESIDE))


def bounded_protocol(most: int, metrics: Metrics) -> type[HttpToolsProtocol]:
    """What uvicorn makes for every connection: of a class it asks only that it can be called."""
    made = partial(BoundedProtocol, most=most, metrics=metrics)
    return cast("type[HttpToolsProtocol]", made)
