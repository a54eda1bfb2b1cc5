"""Every shell command of the README and of the guides runs, in the order of the page."""

from pathlib import Path

import pytest

from tests.docs.guide_files import write_arc_files, write_hub
from tests.docs.guides import ROOT, SHELL, run_guide

ELSEWHERE = {"add-a-kind", "arc", "train"}  # have tests of their own, in other files: they are long
NEED_A_SERVER = {
    "batches": "ponder serve",
    "client": "ponder serve --runtime onnxruntime --slots 4",
    "streaming": "ponder serve",
}


def guides() -> list[str]:
    """Every document with commands."""
    return sorted(
        path.stem
        for path in (ROOT / "docs").glob("*.md")
        if SHELL.search(path.read_text()) and path.stem not in ELSEWHERE
    )


def test_the_readme(tmp_path: Path) -> None:
    elsewhere = SHELL.findall((ROOT / "docs" / "train.md").read_text())  # run below
    said = run_guide(ROOT / "README.md", tmp_path, but=elsewhere)
    assert '"verified":true' in said


@pytest.mark.parametrize("name", guides())
def test_guide(name: str, tmp_path: Path) -> None:
    write_arc_files(tmp_path)
    write_hub(tmp_path / "hub")
    run_guide(ROOT / "docs" / f"{name}.md", tmp_path, before=NEED_A_SERVER.get(name, ""))
