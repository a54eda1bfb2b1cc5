"""The files for Prometheus and Grafana, tried: a real server under load, a real Prometheus."""

import math
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import httpx2
import pytest
import yaml

from tests.deploy.files import (
    ALERTS,
    PROMETHEUS,
    RULES,
    dashboard,
    panel_queries,
    read_yaml,
    rules,
)
from tests.server.tiny_bundle import (
    FOUR,
    HARD,
    NINE_QUESTION,
    four_solutions,
    with_empty,
    write_bundle,
)

TOOLS = ("prometheus", "promtool")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{MISSING} not installed: apt-get install prometheus"
)

SECONDS = 30.0
INTERVAL, WINDOW = "500ms", "4s"  # of scrapes, and of rates in the dashboard
BREAKS_AT = 9  # empty cells


@final
class Load:
    """Clients that ask for everything a server can be asked for, until they are told to stop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        with self._client() as client:
            client.post("/v1/solve", json=sudoku(BREAKS_AT))  # a step that fails
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SECONDS)

    def _client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self._url, timeout=SECONDS)

    def _run(self) -> None:
        wrong = {"kind": "sudoku", "grid": "11" + 14 * "."}
        unsolved = sudoku(HARD - 2) | {"max_steps": 1, "attempts": 1, "effort": "low"}
        nine = {"kind": "sudoku", "grid": NINE_QUESTION, "max_steps": 64}
        lines = f'{{"kind": "sudoku", "grid": "{NINE_QUESTION}", "max_steps": 64}}\nnonsense\n'
        with self._client() as client:
            while not self._stop.is_set():
                for body in (sudoku(3), sudoku(HARD + 1), nine, unsolved, wrong):
                    client.post("/v1/solve", json=body)
                client.post("/v1/solve/batch", json={"items": [sudoku(n) for n in range(1, 7)]})
                client.post(
                    "/v1/batches", content=lines, headers={"Content-Type": "application/jsonl"}
                )


@final
class Asked:
    """A Prometheus, by its HTTP API."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def get(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def values(self, expression: str) -> list[float]:
        """Of all series of a query, now."""
        return [float(x["value"][1]) for x in self.get("query", query=expression)["result"]]

    def is_up(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx2.TransportError:
            return False


def sudoku(empty: int) -> dict[str, Any]:
    grid = FOUR.format(with_empty(four_solutions()[7], empty))
    return {"kind": "sudoku", "grid": grid, "max_steps": 16}


def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait for another process; the value once it is true."""
    end_s = time.monotonic() + SECONDS
    while not (value := holds()):
        assert time.monotonic() < end_s, what
        time.sleep(0.05)
    return value


@contextmanager
def process(*command: str, log: Path) -> Iterator[None]:
    with log.open("w") as stream:
        running = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        yield
    finally:
        running.terminate()
        try:
            running.wait(SECONDS)
        finally:
            running.kill()


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """A server whose steps fail for one kind of question; yields its URL."""
    bundle, log = directory / "bundle", directory / "server.log"
    write_bundle(bundle, breaks_at=BREAKS_AT)
    flags = ["--bundles", str(bundle), "--port", "0", "--threads", "1"]
    flags += ["--batch-dir", str(directory / "batches"), "--task-dir", str(directory / "tasks")]
    with process(sys.executable, "-m", "cli", "serve", *flags, log=log):
        found = until(lambda: re.search(r"serving url=(http://\S+)", log.read_text()), "no server")
        yield found[1]


def config_for(target: str, own: str, directory: Path) -> Path:
    """Our configuration, in a hurry, with addresses of here."""
    config = read_yaml(PROMETHEUS / "prometheus.yml")
    config["global"] |= {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
    config["rule_files"] = [str(PROMETHEUS / name) for name in config["rule_files"]]
    places = {"ponder": target, "prometheus": own}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [places[job["job_name"]]]}]
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Asked]]:
    """A server under load, and the Prometheus that watches it."""
    directory = tmp_path_factory.mktemp("watched")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        own = f"127.0.0.1:{found.getsockname()[1]}"
    with serving(directory) as url:
        config = config_for(url.removeprefix("http://"), own, directory)
        flags = (f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}")
        log = directory / "prometheus.log"
        with (
            process("prometheus", *flags, f"--web.listen-address={own}", log=log),
            httpx2.Client(base_url=f"http://{own}", timeout=SECONDS) as client,
        ):
            asked = Asked(client)
            until(asked.is_up, "Prometheus did not start")
            first_scrape = "ponder_engine_failures_total"
            until(lambda: asked.values(first_scrape), "nothing was scraped")
            with Load(url):
                yield url, asked


def ready(query: str) -> str:
    """A query of the dashboard as Grafana would send it."""
    for variable in ("instance", "puzzle"):
        query = query.replace(f"${variable}", ".*")
    return query.replace("$__rate_interval", WINDOW)


def test_every_panel_shows_figures_under_load(watched: tuple[str, Asked]) -> None:
    _, asked = watched
    waiting = {(title, ready(query)) for title, query in panel_queries()}
    assert len(waiting) > 30

    def all_have_figures() -> bool:
        for title, query in list(waiting):
            values = asked.values(query)
            if values and not any(map(math.isnan, values)):
                waiting.discard((title, query))
        return not waiting

    until(all_have_figures, f"no figures: {waiting}")


def test_the_variables_of_the_dashboard_have_values(watched: tuple[str, Asked]) -> None:
    url, asked = watched
    found = {}
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            [(metric, label)] = re.findall(r"label_values\((\w+), (\w+)\)", variable["definition"])
            found[variable["name"]] = asked.get(f"label/{label}/values", **{"match[]": metric})
    assert found == {
        "instance": [url.removeprefix("http://")],
        "puzzle": ["sudoku-4x4", "sudoku-9x9"],
    }


def test_every_rule_is_evaluated_and_what_is_recorded_has_figures(
    watched: tuple[str, Asked],
) -> None:
    _, asked = watched

    def all_evaluated() -> bool:
        found = [rule for group in asked.get("rules")["groups"] for rule in group["rules"]]
        assert len(found) == len(rules(RULES)) + len(rules(ALERTS))
        assert [rule for rule in found if rule.get("lastError")] == []
        return all(rule["health"] == "ok" for rule in found)

    until(all_evaluated, "rules were not evaluated")
    for rule in rules(RULES):
        values = until(lambda rule=rule: asked.values(rule["record"]), rule["record"])
        assert not any(map(math.isnan, values))


def test_a_failed_step_is_an_alert_and_nothing_else_is(watched: tuple[str, Asked]) -> None:
    _, asked = watched
    firing = 'ALERTS{alertstate="firing"}'
    until(lambda: asked.values(firing), "no alert")
    names = {one["metric"]["alertname"] for one in asked.get("query", query=firing)["result"]}
    assert names == {"PonderEngineFailing"}


def test_promtool_finds_nothing_to_say_about_the_metrics(watched: tuple[str, Asked]) -> None:
    url, _ = watched
    page = httpx2.get(f"{url}/metrics", timeout=SECONDS).content
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    "command",
    [
        "check config prometheus.yml",
        "check rules rules.yml alerts.yml",
        "test rules alerts_test.yml quality_test.yml",
    ],
)
def test_promtool_accepts(command: str) -> None:
    done = subprocess.run(
        ["promtool", *command.split()], cwd=PROMETHEUS, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
