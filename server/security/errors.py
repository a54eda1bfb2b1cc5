"""What is refused before there is a request."""


class HeadTooLargeError(Exception):
    """A request with too much beside its body: headers, or the framing of its chunks."""

    def __init__(self, limit_bytes: int, limit_headers: int) -> None:
        super().__init__(
            f"a request has up to {limit_headers} headers, {limit_bytes} bytes of them"
        )


class TooManyConnectionsError(Exception):
    """One connection more than the server holds."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} clients are connected already; try again later")
