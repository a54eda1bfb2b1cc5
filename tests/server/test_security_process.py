"""What `ponder serve` does by default, as a process, on this machine alone and beyond it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.server.adapting_server import until
from tests.server.security_apps import ADMIN, ASKED, USER, bearer
from tests.server.test_process import TIMEOUT_S, failed_start, post, serving

EVERYWHERE = "0.0.0.0"  # noqa: S104 (a container's, here for a moment)


def test_beyond_this_machine_a_start_makes_a_key_says_so_once_and_asks_for_it(
    bundle: Path,
) -> None:
    flags = ("--host", EVERYWHERE, "--port", "0", "--bundles", str(bundle), "--slots", "4")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", "--threads", "1", *flags],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stderr is not None
        said = ""
        while not (found := re.search(r"serving url=http://0\.0\.0\.0:(\d+)", said)):
            said += process.stderr.readline()
        url = f"http://127.0.0.1:{found[1]}"
        (key,) = re.findall(r"^    Authorization: Bearer (ponder_[0-9a-f]{64})$", said, re.M)
        assert said.count(key) == 1
        assert httpx2.get(f"{url}/healthz", timeout=TIMEOUT_S).status_code == 200
        assert post(f"{url}/v1/solve", ASKED)[0] == 401
        answer = httpx2.post(f"{url}/v1/solve", json=ASKED, headers=bearer(key), timeout=TIMEOUT_S)
        assert answer.status_code == 200
        assert "server" not in answer.headers  # nobody has to know what serves
    finally:
        process.kill()
        process.wait(TIMEOUT_S)
        process.stderr.close()


def test_on_this_machine_no_key_is_asked_for_and_nobody_is_believed_to_be_another(
    bundle: Path,
) -> None:
    flags = ("--bundles", str(bundle), "--slots", "4", "--rate-limit", "0.001", "--rate-burst", "1")
    with serving(*flags) as (_, url):
        rebound = httpx2.get(f"{url}/v1/models", headers={"Host": "evil.example"})
        assert rebound.status_code == 421
        for status, address in ((200, "192.0.2.1"), (429, "192.0.2.2")):
            said = {"X-Forwarded-For": address}
            answer = httpx2.post(f"{url}/v1/solve", json=ASKED, headers=said, timeout=TIMEOUT_S)
            assert answer.status_code == status


def test_keys_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("alice user\n")
    said = failed_start("--api-key-file", str(tmp_path / "keys"), "--port", "0")
    assert "keys, line 1: expected NAME ROLE KEY" in said


def test_sighup_reads_keys_again(bundle: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"alice user {USER}\n")
    flags = ("--bundles", str(bundle), "--slots", "4", "--api-key-file", str(keys))
    with serving(*flags) as (process, url), httpx2.Client(base_url=url) as client:
        assert client.get("/v1/models", headers=bearer(USER)).status_code == 200
        keys.write_text(f"root admin {ADMIN}\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: client.get("/v1/models", headers=bearer(ADMIN)).status_code == 200)
        assert client.get("/v1/models", headers=bearer(USER)).status_code == 401
