"""What web pages can have a server on their reader's machine do, and what browsers are told."""

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from server.batches.service import Batches
from server.security.headers import DATA, PAGE, SecurityHeaders
from server.settings import Settings
from server.solver import Solver
from tests.server.security_apps import ASKED, FAR, KEYS, USER, app_client, bearer, tiny_solver

OURS = "https://ours.example"
EVIL = "http://evil.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@pytest.fixture(scope="module")
def solver(bundle: Path) -> Solver:
    return tiny_solver(bundle)


@pytest.fixture(scope="module")
def local(solver: Solver) -> TestClient:
    """Of a server as `ponder serve` starts it."""
    return app_client(solver)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]", "localhost.:1"]
)
def test_a_local_server_goes_by_the_names_of_loopback(local: TestClient, host: str) -> None:
    assert local.get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1"]
)
def test_a_name_that_was_made_to_lead_here_reads_nothing(local: TestClient, host: str) -> None:
    refused = local.get("/v1/models", headers={"Host": host})
    assert (refused.status_code, refused.json()["code"]) == (421, "unknown_host")
    sent = {"Host": host, "Origin": f"http://{host}"}
    assert local.post("/v1/solve", json=ASKED, headers=sent).status_code == 421


def test_other_names_are_allowed_one_by_one(solver: Solver) -> None:
    client = app_client(solver, allowed_hosts=("ponder.example",))
    for host, status in (("ponder.example", 200), ("localhost", 200), ("evil.example", 421)):
        assert client.get("/v1/models", headers={"Host": host}).status_code == status


def test_where_keys_are_asked_for_any_name_will_do(solver: Solver) -> None:
    headers = bearer(USER) | {"Host": "ponder.example", "Origin": EVIL}
    client = app_client(solver, keys=KEYS)
    assert client.post("/v1/solve", content=b"", headers=headers).status_code == 415


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),  # of no browser
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8000"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": EVIL}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": EVIL}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": OURS}, 200),
    ],
)
def test_pages_of_other_sites_have_nothing_done(
    solver: Solver, headers: dict[str, str], expected: int
) -> None:
    client = app_client(solver, cors_origins=(OURS,))
    answer = client.post("/v1/administer", headers=headers)
    assert answer.status_code == expected
    if expected == 403:
        assert answer.json()["code"] == "foreign_origin"


def test_that_holds_for_deleting_and_beyond_this_machine(solver: Solver) -> None:
    client = app_client(solver, host="192.0.2.1", auth="off", client=FAR)
    assert client.delete("/v1/tasks/x", headers={"Origin": EVIL}).status_code == 403
    assert client.delete("/v1/tasks/x").status_code == 404


# What a form, or fetch without a preflight, may send; None: a Blob without a type.
@pytest.mark.parametrize(
    "media",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
@pytest.mark.parametrize("path", ["/v1/solve", "/v1/solve/batch", "/v1/tasks", "/v1/batches"])
def test_no_endpoint_takes_a_body_that_pages_may_send_unasked(
    solver: Solver, tmp_path: Path, path: str, media: str | None
) -> None:
    settings = Settings(batch_dir=tmp_path)
    client = app_client(solver, batches=Batches(solver, settings), batch_dir=tmp_path)
    headers = {} if media is None else {"Content-Type": media}
    answer = client.post(path, content=b'{"items": []}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_other_sites_may_ask_nothing_unless_they_are_listed(local: TestClient) -> None:
    asked = local.options("/v1/solve", headers=PREFLIGHT | {"Origin": EVIL})
    assert asked.status_code == 405
    assert "access-control-allow-origin" not in asked.headers


def test_a_listed_site_may_ask_without_a_key_in_its_preflight(solver: Solver) -> None:
    client = app_client(solver, keys=KEYS, cors_origins=(OURS,))
    asked = client.options("/v1/solve", headers=PREFLIGHT | {"Origin": OURS})
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == OURS
    assert "access-control-allow-credentials" not in asked.headers
    refused = client.get("/v1/models", headers={"Origin": OURS})
    assert refused.status_code == 401  # and the page can read why
    assert refused.headers["access-control-allow-origin"] == OURS
    unknown = client.options("/v1/solve", headers=PREFLIGHT | {"Origin": EVIL})
    assert "access-control-allow-origin" not in unknown.headers


@pytest.mark.parametrize(
    "origin", ["*", "ours.example", "https://ours.example/", "https://*.example"]
)
def test_sites_are_listed_exactly(origin: str) -> None:
    with pytest.raises(ValidationError, match="nor is there a wildcard"):
        Settings(cors_origins=(origin,))


@pytest.mark.parametrize("path", ["/v1/models", "/healthz", "/metrics", "/nowhere", "/v1/tasks/x"])
def test_every_answer_of_the_api_tells_browsers_what_not_to_do(
    local: TestClient, path: str
) -> None:
    sent = local.get(path).headers
    assert {name.decode(): sent[name.decode()] for name, _ in DATA} == {
        name.decode(): value.decode() for name, value in DATA
    }


def test_refusals_of_the_gate_tell_them_too(solver: Solver) -> None:
    sent = app_client(solver, keys=KEYS).get("/v1/models").headers
    assert sent["Cache-Control"] == "no-store"
    assert sent["X-Content-Type-Options"] == "nosniff"


def test_a_bug_tells_them_too(solver: Solver) -> None:
    client = app_client(solver)

    async def broken() -> None:
        raise RuntimeError("secret path")

    client.app.add_api_route("/v1/broken", broken)  # type: ignore[attr-defined]
    answer = TestClient(client.app, raise_server_exceptions=False).get("/v1/broken")
    assert (answer.status_code, answer.headers["X-Frame-Options"]) == (500, "DENY")
    assert "secret" not in answer.text


def test_headers_hold_no_piece_of_an_answer_back() -> None:
    events: list[str] = []

    async def streaming(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"1", b"2"):
            events.append(f"made {piece.decode()}")
            await send({"type": "http.response.body", "body": piece, "more_body": True})

    async def send(message: Message) -> None:
        events.append(f"sent {message.get('body', b'head').decode()}")

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    asyncio.run(SecurityHeaders(streaming)({"type": "http", "path": "/v1/x"}, receive, send))
    assert events == ["sent head", "made 1", "sent 1", "made 2", "sent 2"]


def test_pages_may_use_nothing_but_what_this_server_has(local: TestClient) -> None:
    assert (
        local.get("/").headers["Content-Security-Policy"]
        == dict(PAGE)[b"content-security-policy"].decode()
    )
