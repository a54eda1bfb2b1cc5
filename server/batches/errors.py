"""What can be wrong with a batch, its upload, or where batches are kept."""


class BatchDirectoryError(Exception):
    """The directory of batches cannot be used; the server does not start."""


class UnknownBatchError(Exception):
    """No batch of this id; it may have been deleted, or have expired."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"there is no batch {batch_id}")


class NotJsonLinesError(Exception):
    """An upload whose content type is not JSON lines."""

    def __init__(self) -> None:
        super().__init__("send JSON lines as Content-Type: application/x-ndjson")


class UnknownEncodingError(Exception):
    """An upload whose content encoding nobody here can undo."""

    def __init__(self, encoding: str) -> None:
        super().__init__(f"Content-Encoding is {encoding}; gzip, or none, is what can be read")


class DamagedUploadError(Exception):
    """An upload that is said to be gzip and is not, or ends before its end."""


class EmptyBatchError(Exception):
    """An upload without a single JSON object."""

    def __init__(self, lines: int) -> None:
        what = "there are no lines" if not lines else f"none of {lines} lines is a JSON object"
        super().__init__(f"{what}; expected one request to solve per line")


class LineTooLongError(Exception):
    """A line above the limit of any request's body."""

    def __init__(self, number: int, limit_bytes: int) -> None:
        super().__init__(f"line {number} is longer than {limit_bytes} bytes")


class KeyReusedError(Exception):
    """An idempotency key that stands for a batch of other lines."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"the Idempotency-Key belongs to {batch_id}, which has other lines")


class LineNotJsonError(Exception):
    """A line that is not JSON."""


class NotAnObjectError(Exception):
    """A line that is JSON, but no object."""

    def __init__(self) -> None:
        super().__init__("expected a JSON object with the fields of a request to solve")


class CustomIdError(Exception):
    """A `custom_id` that is no short text."""


class RangeNotSatisfiableError(Exception):
    """A range of bytes that begins where nothing is yet."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"there are {size_bytes} bytes so far")
        self.size_bytes = size_bytes
