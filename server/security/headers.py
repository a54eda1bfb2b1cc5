"""Headers that tell browsers what not to do with an answer, on every one of them."""

from typing import final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Header = tuple[bytes, bytes]

_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Answers of the API are no pages, whoever opens them as one; and no cache may keep them.
DATA: tuple[Header, ...] = (
    *_ALWAYS,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
PAGE_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
PAGE: tuple[Header, ...] = (*_ALWAYS, (b"content-security-policy", PAGE_POLICY.encode()))
PAGES = frozenset({"/", "/docs"})
PAGE_FOLDERS = ("/page/", "/docs/")


@final
class SecurityHeaders:
    """ASGI middleware: adds those that an answer has not itself; never holds an answer back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        ours = PAGE if path in PAGES or path.startswith(PAGE_FOLDERS) else DATA

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = with_headers(message.get("headers", ()), ours)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def with_headers(headers: list[Header], ours: tuple[Header, ...] = DATA) -> list[Header]:
    """Headers of an answer and those of ours that it lacks; names are in lower case."""
    there = {name for name, _ in headers}
    return [*headers, *(header for header in ours if header[0] not in there)]
