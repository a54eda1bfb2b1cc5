"""Links between documents lead to files, and to headings, that are there."""

import re
from pathlib import Path

import pytest

from tests.docs.guides import ROOT

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (ROOT, ROOT / "docs", ROOT / "docs" / "adr", ROOT / "docs" / "model-cards")
    for path in (*folder.glob("*.md"), *(ROOT / "bench").glob("README.md"))
)


def anchors(document: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    text = FENCE.sub("", document.read_text())
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in words}


@pytest.mark.parametrize("name", sorted(set(DOCUMENTS)))
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    dead = []
    for path, anchor in LINK.findall(FENCE.sub("", document.read_text())):
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(f"{path}#{anchor}" if anchor else path)
    assert dead == []
