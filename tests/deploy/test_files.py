"""The files under deploy/ agree with each other and with what they speak of."""

import configparser
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from puzzles.registry import by_name
from puzzles.restarts import Restart
from server.lane import Lane
from server.metrics import Metrics
from server.scheduler import Scheduler
from server.settings import Settings
from tests.deploy.files import (
    ALERTS,
    DEPLOY,
    PROMETHEUS,
    ROOT,
    RULES,
    dashboard,
    metric_names,
    panel_queries,
    read_yaml,
    rules,
)
from tests.server.failing import FailingEngine

COMPOSE = read_yaml(DEPLOY / "compose.yaml")
GPU = read_yaml(DEPLOY / "compose.gpu.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
OWN_SUFFIXES = ("_bucket", "_count", "_sum")


def anchors(guide: Path) -> set[str]:
    """The headings of a document as the ends of links."""
    headings = re.findall(r"^#+ (.+)$", guide.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("alert", rules(ALERTS), ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_and_where_its_runbook_is(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "runbook"} == alert["annotations"].keys()
    document, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert anchor == alert["alert"].lower()
    assert anchor in anchors(ROOT / document)


def test_every_alert_has_a_test() -> None:
    tested = {
        one["alertname"]
        for file in PROMETHEUS.glob("*_test.yml")
        for test in read_yaml(file)["tests"]
        for one in test["alert_rule_test"]
        if one["exp_alerts"]
    }
    assert tested == {alert["alert"] for alert in rules(ALERTS)}


def test_queries_read_metrics_that_there_are() -> None:
    page = _metrics_page()
    there = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE)) | {"up"}
    there |= {name + suffix for name in there for suffix in OWN_SUFFIXES}
    there |= {rule["record"] for rule in rules(RULES)}
    expressions = [rule["expr"] for rule in (*rules(ALERTS), *rules(RULES))]
    expressions += [query for _, query in panel_queries()]
    expressions += [one["definition"] for one in _query_variables()]
    read = set().union(*map(metric_names, expressions))
    assert len(read) > 20
    assert read - there == set()


def test_every_metric_of_ours_is_in_the_dashboard_or_in_an_alert() -> None:
    families = set(re.findall(r"^# TYPE (ponder_\w+)", _metrics_page(), re.MULTILINE))
    expressions = [rule["expr"] for rule in (*rules(ALERTS), *rules(RULES))]
    expressions += [query for _, query in panel_queries()]
    shown = " ".join(expressions)
    assert {name for name in families if name not in shown} == set()


def _metrics_page() -> str:
    metrics = Metrics("0")
    lane = Lane(
        model="made",
        puzzle=by_name("sudoku-4x4"),
        restart=Restart(by="noise", noise_scale=0.5),
        engine=FailingEngine(np.zeros(16, np.int32)),
        scheduler=Scheduler(slots=2, queue_limit=8),
    )
    metrics.watch([lane], lambda: ())
    return metrics.page().decode()


def _query_variables() -> list[dict[str, Any]]:
    return [one for one in dashboard()["templating"]["list"] if one["type"] == "query"]


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_of_compose_is_shut_in_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "build" in service or re.fullmatch(r"[\w./-]+:v?\d[\w.]+", service["image"])


def test_what_compose_mounts_and_builds_is_there() -> None:
    for service in SERVICES.values():
        for volume in service["volumes"]:
            source, target, *mode = volume.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert (DEPLOY / source).is_dir()
                assert mode == ["ro"]
            else:
                assert source in COMPOSE["volumes"]
    build = SERVICES["ponder"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_the_gpu_file_changes_a_service_that_there_is_by_an_argument_that_there_is() -> None:
    assert GPU["services"].keys() == {"ponder"}
    [argument] = GPU["services"]["ponder"]["build"]["args"]
    assert f"ARG {argument}=" in (ROOT / "Dockerfile").read_text()
    assert "VOLUME /var/lib/ponder" in (ROOT / "Dockerfile").read_text()
    assert SERVICES["ponder"]["volumes"] == ["ponder-state:/var/lib/ponder"]


def test_prometheus_and_grafana_find_each_other_by_the_names_of_compose() -> None:
    config = read_yaml(PROMETHEUS / "prometheus.yml")
    assert [PROMETHEUS / name for name in config["rule_files"]] == [RULES, ALERTS]
    targets = [
        target
        for job in config["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    ]
    assert {target.split(":")[0] for target in targets} <= {*SERVICES, "localhost"}
    provisioning = DEPLOY / "grafana" / "provisioning"
    [source] = read_yaml(provisioning / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = read_yaml(provisioning / "dashboards" / "ponder.yml")["providers"]
    mounts = dict(volume.split(":")[1::-1] for volume in SERVICES["grafana"]["volumes"])
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"


def test_the_settings_that_deployments_name_exist() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    unit = (DEPLOY / "ponder.service").read_text()
    parser.read_string(unit)
    assert parser["Service"]["ExecStart"].endswith("/bin/ponder serve")
    named = set(re.findall(r"\bPONDER_\w+", unit)) | set(SERVICES["ponder"]["environment"])
    known = {f"PONDER_{name.upper()}" for name in Settings.model_fields}
    assert named - known == set()


def test_time_to_drain_fits_into_the_time_to_stop() -> None:
    seconds = Settings.model_fields["drain_seconds"].default
    unit = (DEPLOY / "ponder.service").read_text()
    [stop] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(stop) > seconds
    assert int(SERVICES["ponder"]["stop_grace_period"].removesuffix("s")) > seconds
