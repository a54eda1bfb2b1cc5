"""The documents tell what the code does: every file, setting, metric, error code and command."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from server.errors import BY_ERROR, INTERNAL, INVALID_JSON
from server.metrics import Metrics
from server.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
API, FILES, SERVE = (
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("api", "files", "serve")
)
CODE = ("puzzles", "model", "training", "export", "server", "client", "cli", "bench")


@pytest.mark.parametrize("package", CODE)
def test_every_file_of_a_package_is_listed(package: str) -> None:
    section = re.split(r"\n(?=\S)", FILES.split(f"\n{package}/", 1)[1])[0]
    files = {path.name for path in (ROOT / package).rglob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(re.findall(r"\w+\.py", section)) == files


def test_every_setting_is_told_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        flag = "--bundle" if name == "bundles" else f"--{name.replace('_', '-')}"
        rows = [row for row in SERVE.splitlines() if row.startswith("|") and f"`{flag}`" in row]
        assert rows, f"{flag} is not in docs/serve.md"
        if isinstance(field.default, int | float | str) and not name.endswith("_bytes"):
            default = _told(field.default)
            assert default in rows[0], f"{flag}: default {default} is not in {rows[0]}"


def _told(default: float | str) -> str:
    """A default as the document writes it."""
    if isinstance(default, bool):
        return "on" if default else "off"
    return default if isinstance(default, str) else f"{default:.15g}"


def test_every_metric_is_told() -> None:
    families = re.findall(r"^# TYPE (ponder_\w+) (\w+)", Metrics("0").page().decode(), re.MULTILINE)
    assert families
    missing = [name for name, _ in families if f"`{name}`" not in SERVE]
    assert not missing


def test_every_error_code_is_told_beside_its_status() -> None:
    for problem in (*BY_ERROR.values(), INVALID_JSON, INTERNAL):
        rows = [row for row in API.splitlines() if f"`{problem.code}`" in row]
        assert any(row.startswith(f"| {problem.status.value}") for row in rows), problem.code


def said_by(option: str) -> str:
    command = [sys.executable, "-m", "cli", option]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_every_command_is_told_and_exists() -> None:
    shown = said_by("--help")
    told = {command.split()[0] for command in re.findall(r"\| `ponder ([\w -]+)", README)}
    assert told
    missing = [command for command in told if command not in shown]
    assert not missing


def test_the_command_tells_its_version() -> None:
    shown = said_by("--version")
    assert shown == f"ponder {version('ponder')}\n"
