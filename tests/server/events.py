"""Streams of events as tests read them: names and data, and by hand over ASGI."""

import json
from typing import Any

from starlette.testclient import TestClient

EVENTS = {"Accept": "text/event-stream"}
Event = tuple[str, Any]


def read_events(text: str) -> list[Event]:
    """Name and data of every event, comments left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def stream(client: TestClient, **body: Any) -> list[Event]:
    """What a request that is accepted is told."""
    response = client.post("/v1/solve", json=body, headers=EVENTS)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return read_events(response.text)


def steps_of(events: list[Event]) -> list[Any]:
    """The data of the step events."""
    return [data for name, data in events if name == "step"]


def replayed(question: list[list[int]], step: Any, before: list[list[int]] | None) -> Any:
    """What a reader has that takes over the changed cells only."""
    grid = [list(row) for row in (question if before is None else before)]
    for row, column in step["changed"]:
        assert grid[row - 1][column - 1] != step["grid"][row - 1][column - 1]
        grid[row - 1][column - 1] = step["grid"][row - 1][column - 1]
    return grid
