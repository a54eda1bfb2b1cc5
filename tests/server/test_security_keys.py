"""Keys: how they are written, found, asked for, and read again."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from cli.main import create_app
from server.security.access import Access, UnauthorizedError
from server.security.keys import KeyFileError, KeyRing, new_key, read_keys
from server.security.opening import NoKeysError, announced, asks_for_keys, open_access
from server.settings import KeysOnCommandLineError, Settings, read_settings
from server.solver import Solver
from tests.server.security_apps import (
    ADMIN,
    FAR,
    KEYS,
    LOCAL,
    USER,
    app_client,
    bearer,
    tiny_solver,
)

EVERYWHERE = "0.0.0.0"  # noqa: S104 (nothing is bound)


@pytest.fixture(scope="module")
def solver(bundle: Path) -> Solver:
    return tiny_solver(bundle)


def opened(settings: Settings) -> Access:
    return open_access(settings, lambda: 0.0, lambda count: b"\7" * count).access


def status(client: TestClient, path: str, key: str | None = None) -> int:
    return client.get(path, headers=bearer(key) if key else {}).status_code


def test_a_new_key_is_found_by_a_line_that_does_not_hold_it() -> None:
    made = new_key("alice", "admin", lambda count: bytes(range(count)))
    assert made.secret not in made.line
    found = KeyRing(read_keys(made.line, "a test")).find(made.secret.encode())
    assert found is not None
    assert (found.name, found.role, found.rate) == ("alice", "admin", None)


def test_lines_may_be_empty_hold_comments_and_rates() -> None:
    first, second = read_keys(f"# ours\n\n a user {USER} # Anna\nb admin {ADMIN} rate=2", "f")
    assert (first.name, first.rate) == ("a", None)
    assert second.rate is not None
    assert (second.rate.puzzles_per_s, second.rate.burst) == (2, 2)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (f"alice {USER}", "expected NAME ROLE KEY"),
        (f"al/ice user {USER}", "a name has"),
        (f"none user {USER}", "a name has"),
        (f"alice root {USER}", "the role of alice"),
        ("alice user short-secret", "20 to 512"),
        ("alice user sha256:abc", "digest of alice"),
        (f"alice user {USER} rate=fast", "rate of alice is no number"),
        (f"alice user {USER} rate=0", "above 0"),
        (f"alice user {USER} burst=5", "no rate"),
        (f"alice user {USER} speed=5", "come rate=NUMBER"),
    ],
)
def test_a_wrong_line_is_told_by_its_number_and_without_the_key(line: str, complaint: str) -> None:
    with pytest.raises(KeyFileError, match=f"keys.txt, line 2: .*{complaint}") as raised:
        read_keys(f"\n{line}", "keys.txt")
    assert USER not in str(raised.value)
    assert "short-secret" not in str(raised.value)


@pytest.mark.parametrize("second", [f"alice user {ADMIN}", f"bob user {USER}"])
def test_neither_names_nor_keys_may_be_there_twice(second: str) -> None:
    with pytest.raises(KeyFileError, match="twice"):
        KeyRing(read_keys(f"alice user {USER}\n{second}", "a test"))


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": EVERYWHERE}, True),
        ({"host": ""}, True),
        ({"host": "example.org"}, True),
        ({"host": EVERYWHERE, "auth": "off"}, False),
        ({"auth": "on"}, True),
        ({"api_keys": KEYS}, True),
        ({"api_keys": ""}, False),
    ],
)
def test_keys_are_asked_for_where_others_can_reach_the_server(
    changed: dict[str, str], asked: bool
) -> None:
    assert asks_for_keys(Settings.model_validate(changed)) is asked


def test_without_a_key_one_is_made_that_admits_and_is_told_once() -> None:
    found = open_access(Settings(host=EVERYWHERE), lambda: 0.0, lambda count: b"\7" * count)
    assert found.generated is not None
    assert f"Authorization: Bearer {found.generated.secret}\n" in announced(found.generated)
    headers = [(b"authorization", f"bearer {found.generated.secret}".encode())]
    assert found.access.identify({"headers": headers}, need_key=True).role == "admin"


def test_a_server_that_insists_on_keys_does_not_make_one() -> None:
    with pytest.raises(NoKeysError, match="--api-key-file"):
        opened(Settings(auth="on"))


def test_a_file_without_keys_or_none_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        opened(Settings(api_key_file=tmp_path / "keys"))
    (tmp_path / "keys").write_text("# nobody yet\n")
    with pytest.raises(KeyFileError, match="not a single one"):
        opened(Settings(api_key_file=tmp_path / "keys"))


def test_keys_read_again_replace_those_of_before_unless_they_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"alice user {USER}")
    access = opened(Settings(api_key_file=file))
    asked = {"headers": [(b"authorization", f"Bearer {USER}".encode())]}
    assert access.identify(asked, need_key=True).name == "alice"
    file.write_text("alice user")
    with pytest.raises(KeyFileError):
        access.reload()
    assert access.identify(asked, need_key=True).name == "alice"
    file.write_text(f"bob user {ADMIN}")
    access.reload()
    with pytest.raises(UnauthorizedError):
        access.identify(asked, need_key=True)


def test_keys_come_from_the_environment_never_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(KeysOnCommandLineError):
        read_settings(["--api-keys", KEYS])
    with pytest.raises(KeysOnCommandLineError):
        read_settings([f"--api_keys={KEYS}"])
    monkeypatch.setenv("PONDER_API_KEYS", KEYS.replace("\n", ","))
    settings = read_settings([])
    assert USER not in repr(settings)
    assert opened(settings).required


def test_a_request_without_our_key_is_told_how_to_send_one(solver: Solver) -> None:
    client = app_client(solver, keys=KEYS)
    without = client.get("/v1/models")
    assert (without.status_code, without.json()["code"]) == (401, "unauthorized")
    assert without.headers["WWW-Authenticate"] == "Bearer"
    wrong = client.get("/v1/models", headers=bearer("ponder_" + 64 * "0"))
    assert wrong.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert status(client, "/v1/models", USER) == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", f"Basic {USER}")],
        [("Authorization", USER)],
        [("Authorization", "Bearer")],
        [("X-API-Key", USER)],
        [("Authorization", f"Bearer {USER}"), ("Authorization", f"Bearer {USER}")],
    ],
)
def test_a_key_comes_as_a_bearer_and_in_no_other_way(
    solver: Solver, headers: list[tuple[str, str]]
) -> None:
    assert app_client(solver, keys=KEYS).get("/v1/models", headers=headers).status_code == 401
    assert app_client(solver, keys=KEYS).get(f"/v1/models?key={USER}").status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
def test_health_and_documentation_need_no_key(solver: Solver, path: str) -> None:
    assert status(app_client(solver, keys=KEYS), path) in (200, 503)


@pytest.mark.parametrize(
    "path", ["/metrics", "/v1/tasks", "/v1/models/", "//v1/models", "/new", "/docs/../v1/models"]
)
def test_all_else_does_even_what_is_not_there(solver: Solver, path: str) -> None:
    client = app_client(solver, keys=KEYS)
    assert client.get(client.base_url.copy_with(path=path)).status_code in (401, 404)
    assert client.get("/new").status_code == 401


def test_metrics_need_a_key_unless_they_are_public(solver: Solver) -> None:
    assert status(app_client(solver, keys=KEYS), "/metrics", USER) == 200
    assert status(app_client(solver, keys=KEYS, metrics_public=True), "/metrics") == 200


def test_only_an_admins_key_administers(solver: Solver) -> None:
    client = app_client(solver, keys=KEYS)
    assert client.post("/v1/administer").status_code == 401
    refused = client.post("/v1/administer", headers=bearer(USER))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert client.post("/v1/administer", headers=bearer(ADMIN)).status_code == 200


@pytest.mark.parametrize(
    ("client", "headers", "expected"),
    [
        (LOCAL, {}, 200),
        (("::1", 1), {}, 200),
        (("::ffff:127.0.0.1", 1), {}, 200),
        (FAR, {}, 403),
        (LOCAL, {"X-Forwarded-For": "127.0.0.1"}, 403),
        (LOCAL, {"Via": "1.1 proxy"}, 403),
    ],
)
def test_without_keys_only_this_machine_administers_and_not_through_a_proxy(
    solver: Solver, client: tuple[str, int], headers: dict[str, str], expected: int
) -> None:
    served = app_client(solver, client=client)
    assert served.post("/v1/administer", headers=headers).status_code == expected


def test_the_document_tells_of_keys_where_they_are_asked_for(solver: Solver) -> None:
    with_keys = app_client(solver, keys=KEYS).get("/openapi.json").json()
    assert "HTTPBearer" in with_keys["components"]["securitySchemes"]
    without = app_client(solver).get("/openapi.json").json()
    assert "securitySchemes" not in without["components"]


def test_metrics_count_by_the_names_of_keys(solver: Solver) -> None:
    client = app_client(solver, keys=KEYS)
    assert status(client, "/v1/models", USER) == 200
    page = client.get("/metrics", headers=bearer(ADMIN)).text
    assert 'ponder_key_requests_total{key="alice"}' in page
    assert USER not in page


def test_the_command_prints_a_line_for_the_file_and_the_key_apart_from_it() -> None:
    made = CliRunner().invoke(create_app(), ["keys", "new", "alice", "--admin"])
    assert made.exit_code == 0
    secret = made.stderr.splitlines()[-1]
    found = KeyRing(read_keys(made.stdout, "stdout")).find(secret.encode())
    assert found is not None
    assert (found.name, found.role) == ("alice", "admin")


def test_the_command_refuses_a_name_that_could_not_stand_in_the_file() -> None:
    made = CliRunner().invoke(create_app(), ["keys", "new", "alice smith"])
    assert (made.exit_code, made.stdout) == (2, "")
    assert "a name has up to 64" in made.stderr
