"""The page's files over HTTP: types, freshness, the policy, and that they are all packed."""

import tomllib
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from server.page.routes import FILES

ROOT = Path(__file__).parents[2]
LONGEST_MODULE = 300  # lines


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/page/main.js", "text/javascript; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/mark.svg", "image/svg+xml"),
        ("/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
    ],
)
def test_a_file_has_its_type_and_lets_nothing_else_in(
    client: TestClient, path: str, media_type: str
) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert response.headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert client.head(path).status_code == 200


def test_a_file_that_the_client_has_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/page/main.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/page/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/page/none.js", "/page/..%2Froutes.py", "/page/", "/docs/x"])
def test_what_is_no_file_of_the_page_is_a_problem(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_every_file_is_packed() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packed = {
        path
        for pattern in setup["package-data"]["server.page"]
        for path in FILES.parent.glob(pattern)
    }
    assert packed == {path for path in FILES.rglob("*") if path.is_file()}


def test_every_script_is_as_short_as_a_sitting_and_begins_with_what_it_is_for() -> None:
    for path in FILES.glob("*.js"):
        text = path.read_text()
        assert text.startswith("/**"), path.name
        assert len(text.splitlines()) <= LONGEST_MODULE, path.name
        assert max(map(len, text.splitlines())) <= 100, path.name


def test_every_module_is_fetched_at_once() -> None:
    """Rather than one after the other, as their imports are found."""
    page = (FILES / "index.html").read_text()
    modules = {path.name for path in FILES.glob("*.js")} - {"docs.js"}
    assert [name for name in modules if f'"page/{name}"' not in page] == []


def test_no_markup_holds_a_script_or_a_style() -> None:
    for path in FILES.glob("*.html"):
        text = path.read_text()
        assert "style=" not in text
        assert "<style" not in text
        assert " onclick" not in text
        assert text.count("<script") == text.count('src="') - text.count("<img")


def test_every_script_is_listed_among_the_files() -> None:
    listing = (ROOT / "docs" / "files.md").read_text()
    assert [path.name for path in FILES.iterdir() if path.name not in listing] == []
