"""What lies under deploy/, read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
ALERTS, RULES = PROMETHEUS / "alerts.yml", PROMETHEUS / "rules.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "ponder.json"


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def rules(path: Path) -> list[dict[str, Any]]:
    return [rule for group in read_yaml(path)["groups"] for rule in group["rules"]]


def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text())


def panel_queries() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard with the title of its panel, variables and all."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def metric_names(expression: str) -> set[str]:
    """What a query reads."""
    unquoted = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:(?:ponder|process)[_:][\w:]+|up\b)", unquoted))
