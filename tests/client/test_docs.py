"""Every Python block of docs/client.md, and the README's, against a real server."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GUIDE = BLOCK.findall((ROOT / "docs" / "client.md").read_text())
README = [
    block for block in BLOCK.findall((ROOT / "README.md").read_text()) if "from client" in block
]
BLOCKS = {f"guide {number}": block for number, block in enumerate(GUIDE, 1)}
BLOCKS |= {f"README {number}": block for number, block in enumerate(README, 1)}


def test_there_is_something_to_run() -> None:
    assert (len(GUIDE), len(README)) == (9, 1)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_runs_as_it_stands(
    name: str,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "block.py").write_text(BLOCKS[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PONDER_URL", url)
    runpy.run_path("block.py", run_name="__main__")
    said = capsys.readouterr().out
    for promised in re.findall(r"print\(.*# (.+)$", BLOCKS[name], re.MULTILINE):
        assert promised in said
