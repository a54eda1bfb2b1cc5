"""The page at `/` and the API's documentation at `/docs`: files of this package, nothing else.

Both work without a network and under a policy that lets no script or style in but these files:
`server.security.headers` has it.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from server.security.headers import PAGE_POLICY

FILES = Path(__file__).parent / "files"
SWAGGER = "fastapi_swagger"  # the package that ships Swagger UI
WITH_DATA_IMAGES = f"{PAGE_POLICY}; img-src 'self' data:"  # Swagger's style sheet holds its icons
# Said here, as what a machine's own table says may differ.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page."""
    return await _file(FILES, "index.html", request)


@router.api_route("/page/{path:path}", methods=["GET", "HEAD"])
async def page_file(path: str, request: Request) -> Response:
    """A script, the style sheet, a picture; 404 for what is none."""
    return await _file(FILES, path, request)


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs(request: Request) -> Response:
    """The API, to be read and tried out."""
    response = await _file(FILES, "docs.html", request)
    response.headers["Content-Security-Policy"] = WITH_DATA_IMAGES
    return response


@router.api_route("/docs/{path:path}", methods=["GET", "HEAD"])
async def docs_file(path: str, request: Request) -> Response:
    """A file of Swagger UI; 404 for what is none."""
    return await _file(_swagger_files(), path, request)


async def _file(directory: Path, path: str, request: Request) -> Response:
    """A file, or 304 where the client has it; clients ask each time, and never see an old one.

    Raises: HTTPException (404).
    """
    response = await _static(directory).get_response(path, request.scope)
    media_type = MEDIA_TYPES.get(Path(path).suffix)
    if media_type is not None and "content-type" in response.headers:
        response.headers["Content-Type"] = media_type
    response.headers["Cache-Control"] = "no-cache"
    return response


@cache
def _static(directory: Path) -> StaticFiles:
    return StaticFiles(directory=directory)


@cache
def _swagger_files() -> Path:
    """Where Swagger UI lies; found, not imported: nothing but its files is wanted."""
    found = find_spec(SWAGGER)
    assert found is not None  # a dependency
    assert found.origin is not None  # which has files
    return Path(found.origin).parent / "resources"
