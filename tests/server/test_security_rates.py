"""How many puzzles a client may bring: the bucket by itself, then over HTTP."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.loading import load_solver
from server.security.addresses import site
from server.security.rates import Bucket, Buckets, Rate, RateLimitedError
from server.settings import Settings
from server.solver import Solver
from tests.server.security_apps import ADMIN, ASKED, USER, app_client, bearer, tiny_solver

RATE = Rate(puzzles_per_s=2, burst=4)


@pytest.fixture(scope="module")
def solver(bundle: Path) -> Solver:
    return tiny_solver(bundle)


def wait_s(bucket: Bucket, puzzles: int, now_s: float) -> float:
    """How long it says to wait; 0 if it lets them in."""
    try:
        bucket.take(puzzles, now_s)
    except RateLimitedError as error:
        return error.retry_after_s
    return 0.0


def test_a_burst_is_let_in_and_then_as_many_as_the_rate() -> None:
    bucket = Bucket(RATE, 0.0)
    assert [wait_s(bucket, 1, 0.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert [wait_s(bucket, 1, 0.5) for _ in range(2)] == [0, 0.5]


def test_a_bucket_never_holds_more_than_the_burst() -> None:
    bucket = Bucket(RATE, 0.0)
    assert [wait_s(bucket, 4, 1000.0), wait_s(bucket, 1, 1000.0)] == [0, 0.5]


def test_a_refusal_costs_nothing() -> None:
    bucket = Bucket(RATE, 0.0)
    assert [wait_s(bucket, puzzles, 0.0) for puzzles in (3, 3, 1)] == [0, 1.0, 0]


def test_more_than_a_burst_needs_a_full_bucket_and_leaves_a_debt() -> None:
    bucket = Bucket(RATE, 0.0)
    assert wait_s(bucket, 10, 0.0) == 0
    assert wait_s(bucket, 1, 0.0) == 3.5
    assert wait_s(bucket, 1, 3.5) == 0


def test_what_is_counted_afterwards_is_a_debt_too() -> None:
    bucket = Bucket(RATE, 0.0)
    bucket.take(1, 0.0)
    bucket.charge(9, 0.0)
    assert wait_s(bucket, 1, 0.0) == 3.5


def test_the_clients_not_heard_of_for_longest_are_forgotten() -> None:
    buckets = Buckets(lambda: 0.0, most=2)
    for client in ("a", "b", "a", "c"):
        buckets.take(client, RATE, 2)
    assert len(buckets) == 2
    with pytest.raises(RateLimitedError):
        buckets.take("a", RATE, 1)
    buckets.take("b", RATE, 4)


@pytest.mark.parametrize(
    ("address", "account"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
    ],
)
def test_the_addresses_that_one_client_has_count_as_one(address: str, account: str) -> None:
    assert site({"client": (address, 1)}) == account


def statuses(client: TestClient, count: int, key: str | None = None) -> list[int]:
    headers = bearer(key) if key else {}
    # Not JSON, so that nothing is solved: a request counts before anybody looks at it.
    return [
        client.post("/v1/solve", content=b"", headers=headers).status_code for _ in range(count)
    ]


def test_a_client_above_its_rate_is_told_when_to_come_again(solver: Solver) -> None:
    now_s = [0.0]
    client = app_client(solver, rate_limit=0.5, rate_burst=2, clock=lambda: now_s[0])
    assert statuses(client, 3) == [415, 415, 429]
    refused = client.post("/v1/solve", json=ASKED)
    assert refused.json()["code"] == "rate_limited"
    assert "0.5 puzzles a second" in refused.json()["detail"]
    assert refused.headers["Retry-After"] == "2"
    assert client.get("/v1/models").status_code == 200
    now_s[0] = 2.0
    assert statuses(client, 2) == [415, 429]
    assert 'ponder_key_limited_total{key="none"}' in client.get("/metrics").text


def test_each_address_has_a_rate_of_its_own_where_there_are_no_keys(solver: Solver) -> None:
    first = app_client(solver, rate_limit=1, rate_burst=1)
    second = TestClient(first.app, base_url="http://127.0.0.1:8000", client=("192.0.2.9", 1))
    assert (statuses(first, 2), statuses(second, 2)) == ([415, 429], [415, 429])


def test_each_key_has_a_rate_and_perhaps_its_own(solver: Solver) -> None:
    keys = f"alice user {USER}\nroot admin {ADMIN} rate=1 burst=3"
    client = app_client(solver, keys=keys, rate_limit=1, rate_burst=1)
    assert statuses(client, 2, USER) == [415, 429]
    assert statuses(client, 4, ADMIN) == [415, 415, 415, 429]


def test_a_batch_costs_what_it_brings(bundle: Path, tmp_path: Path) -> None:
    settings = Settings(
        bundles=(bundle,), threads=1, rate_limit=1e-6, rate_burst=4, batch_dir=tmp_path
    )
    solved = {"items": [{"kind": "sudoku", "grid": "1234341221434321"}] * 3}
    with TestClient(create_app(load_solver(settings), settings)) as client:
        assert client.post("/v1/solve/batch", json=solved).status_code == 200
        assert client.post("/v1/solve/batch", json=solved).json()["code"] == "rate_limited"
        assert client.post("/v1/solve/batch", json={"items": []}).status_code == 429
