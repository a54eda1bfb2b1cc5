"""The commands of docs/train.md."""

from pathlib import Path

from tests.docs.guides import ROOT, run_guide


def test_every_command_of_the_guide_runs(tmp_path: Path) -> None:
    run_guide(ROOT / "docs" / "train.md", tmp_path)
