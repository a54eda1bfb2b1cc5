"""docs/add-a-kind.md, done literally in a copy of the repository."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "add-a-kind.md").read_text()
COPIED = ("puzzles", "recipes", "tests")
LINKED = ("cli", "export", "kernel", "model", "server", "training", "pyproject.toml")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def changed(path: Path, diff: str) -> None:
    """Put the lines with + behind those that stand before them in the guide."""
    lines = path.read_text().splitlines()
    at = 0
    for line in diff.splitlines():
        if line.startswith("+"):
            lines.insert(at, line[1:])
            at += 1
        else:
            at = lines.index(line[1:], at) + 1 if line.strip() else at
    path.write_text("\n".join(lines) + "\n")


def run(command: str, directory: Path) -> str:
    words = command.split()
    assert words[0] == "python"
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LINKED:
        (directory / name).symlink_to(ROOT / name)
    kind, data = blocks("python")
    (directory / "puzzles" / "latin.py").write_text(kind)
    (directory / "latin_data.py").write_text(data)
    registry, examples = blocks("diff")
    changed(directory / "puzzles" / "registry.py", registry)
    changed(directory / "tests" / "puzzles" / "examples.py", examples)
    [recipe] = blocks("toml")
    (directory / "recipes" / "latin_4x4.toml").write_text(recipe)
    return directory


def test_every_command_of_the_guide_runs(copy: Path) -> None:
    contract, pipeline = blocks("bash")
    run(contract.strip(), copy)
    said = [run(command, copy) for command in pipeline.strip().splitlines()]
    solution = re.sub(r"\D", "", said[-1].split("verified")[0])
    assert "solved" in said[-1]
    assert "1234" in solution or "1234" in said[-1].replace(" ", "")
