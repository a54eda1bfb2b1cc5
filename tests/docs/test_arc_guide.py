"""The commands of docs/arc.md: from published files to a task that was learnt beside a server."""

from pathlib import Path

from tests.docs.guide_files import write_arc_files
from tests.docs.guides import ROOT, run_guide


def test_every_command_of_the_guide_runs(tmp_path: Path) -> None:
    write_arc_files(tmp_path)
    run_guide(ROOT / "docs" / "arc.md", tmp_path)
