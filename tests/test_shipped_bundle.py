"""The bundles in the box, as a newcomer meets them: served by the defaults, asked over HTTP."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from export.manifest import Manifest
from model.checkpoint import load_model, load_voters
from puzzles.arc import ARCS
from puzzles.kind import Verdict
from puzzles.registry import select
from server.app import create_app
from server.loading import load_solver
from server.settings import SHIPPED_BUNDLES, Settings
from server.step_events import StartEvent, StepEvent
from tests.server.events import read_events, replayed, steps_of, stream

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
STREAMING = (ROOT / "docs" / "streaming.md").read_text()
SUDOKU, ARC = (ROOT / path for path in SHIPPED_BUNDLES)
WIDE = ROOT / "bundles" / "sudoku-wide"  # in the box, and not served by default
PUZZLES = {
    "4x4": "1...2...3...4...",
    "6x6": "1..4.6.5.1..2..5.1.6.2....5.1.6..3..",
    "9x9": "..53.....8......2..7..1.5..4....53...1..7...6..32...8..6.5....9..4....3......97..",
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = Settings(bundles=(SUDOKU, ARC))
    with TestClient(create_app(load_solver(settings), settings)) as served:
        yield served


def readme_exchange() -> tuple[dict[str, str], dict[str, object]]:
    """The request and the answer that the README shows."""
    request = re.search(r"-d '(\{.*?\})'", README)
    answer = re.search(r"```json\n(\{.*?\})\n```", README, re.DOTALL)
    assert request
    assert answer
    return json.loads(request[1]), json.loads(answer[1])


def test_the_readmes_puzzle_gets_the_readmes_answer(client: TestClient) -> None:
    request, told = readme_exchange()
    got = client.post("/v1/solve", json=request).json()
    assert got["solution"] == told["solution"]
    assert got.keys() == told.keys()
    assert (got["status"], got["verified"], got["stopped_by"]) == ("solved", True, "verified")
    # Rounding differs between processors: the way there may, what is found may not.
    assert 1 <= got["steps"] <= 16 * got["attempts"]


@pytest.mark.parametrize("size", PUZZLES)
def test_every_size_is_solved_and_the_solution_stands(client: TestClient, size: str) -> None:
    question = PUZZLES[size]
    got = client.post("/v1/solve", json={"kind": "sudoku", "grid": question}).json()
    assert got["status"] == "solved"
    puzzle = select("sudoku", question)
    answer = puzzle.parse(got["solution"])
    assert puzzle.verify(puzzle.parse(question), answer) is Verdict.solved


def test_its_thinking_can_be_watched(client: TestClient) -> None:
    request, _ = readme_exchange()
    events = stream(client, **request, max_steps=8)
    question, result = events[0][1]["question"], events[-1][1]
    steps = steps_of(events)
    assert (result["status"], result["steps"]) == ("solved", len(steps))
    assert (steps[-1]["verdict"], steps[-1]["grid"]) == ("solved", result["solution"])
    assert steps[-1]["halt_probability"] == result["halt_probability"]
    before = None
    for step in steps:
        assert replayed(question, step, before) == step["grid"]
        before = step["grid"]
        assert all(0 <= cell <= 1 for row in step["confidence"] for cell in row)
        assert bool(step["assumed"]) == (step["attempt"] > 1)
        for cell in step["assumed"]:
            assert question[cell["row"] - 1][cell["column"] - 1] == 0


def test_the_stream_in_the_documents_is_the_one_that_comes(client: TestClient) -> None:
    request = re.search(r"-d '(\{.*?\})'", STREAMING)
    shown = re.search(r"```\n(event: start\n.*?)```", STREAMING, re.DOTALL)
    assert request
    assert shown
    told, got = read_events(shown[1]), stream(client, **json.loads(request[1]))
    assert got[0] == told[0]
    # Rounding differs between processors: the way there may, what is found may not.
    kinds = {name: data.keys() for name, data in got}
    assert kinds == {name: data.keys() for name, data in told}
    assert got[-1][1]["solution"] == told[-1][1]["solution"]


def test_the_documents_tell_every_field_of_events_and_of_the_engine(client: TestClient) -> None:
    step = STREAMING.split("### `step`")[1].split("## ")[0]
    rows = [line.split("|")[1] for line in step.splitlines() if line.startswith("| `")]
    assert {field for row in rows for field in re.findall(r"`(\w+)`", row)} == {
        *StepEvent.model_fields
    }
    assert all(f"`{field}`" in STREAMING for field in StartEvent.model_fields)
    shown = re.search(r"```json\n(\{.*?\})\n```", STREAMING, re.DOTALL)
    assert shown
    told, now = json.loads(shown[1]), client.get("/v1/engine").json()
    assert told.keys() == now.keys()
    assert told["lanes"][0].keys() == now["lanes"][0].keys()


def test_an_empty_grid_gets_some_valid_completion(client: TestClient) -> None:
    got = client.post("/v1/solve", json={"kind": "sudoku", "grid": "." * 16}).json()
    assert got["status"] in {"solved", "unsolved"}
    assert (got["solution"] is None) == (got["status"] == "unsolved")


def test_the_manifest_vouches_for_every_graph() -> None:
    manifest = Manifest.read(SUDOKU)
    sizes = [graph.spec.height for graph in manifest.graphs]
    assert sorted(sizes) == [4, 6, 9, 16]
    assert all(graph.parity.puzzles >= 200 for graph in manifest.graphs)
    assert manifest.accuracy


def test_the_wide_bundle_is_served_when_it_is_asked_for() -> None:
    settings = Settings(bundles=(WIDE,))
    with TestClient(create_app(load_solver(settings), settings)) as served:
        for question in PUZZLES.values():
            got = served.post("/v1/solve", json={"kind": "sudoku", "grid": question}).json()
            assert (got["status"], got["model"]) == ("solved", "sudoku-lattice-d64")
    manifest = Manifest.read(WIDE)
    assert all(graph.parity.puzzles >= 100 for graph in manifest.graphs)
    figures = {(f.supervision_steps, f.attempts): f.exact for f in manifest.accuracy}
    assert figures[16, 1] > 0.49


@pytest.mark.parametrize("bundle", [SUDOKU, ARC, WIDE], ids=lambda path: path.name)
def test_the_bundles_are_small(bundle: Path) -> None:
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    assert size < 12 * 2**20


def test_the_arc_bundle_answers_as_its_guide_says(client: TestClient) -> None:
    guide = (ROOT / "docs" / "arc.md").read_text()
    [asked] = re.findall(r"/v1/solve [^\n]*-d '(\{[^']*3618c87e[^']*\})'", guide)
    [told] = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    answer, told = client.post("/v1/solve", json=json.loads(asked)).json(), json.loads(told)
    [result], [result_told] = answer["results"], told["results"]
    for attempt, expected in zip(result["attempts"], result_told["attempts"], strict=True):
        assert attempt["answer"] == expected["answer"]
        assert attempt["votes"] == expected["votes"]
    # The test pair of task 3618c87e of ARC-AGI-1 (Apache-2.0).
    right = [[0] * 5, [0] * 5, [0] * 5, [0, 0, 5, 0, 5], [5, 5, 1, 5, 1]]
    assert result["attempts"][0]["answer"] == right
    assert answer["verified"] is None


def test_the_arc_bundle_can_be_adapted_from() -> None:
    manifest = Manifest.read(ARC)
    assert manifest.tasks is not None
    assert manifest.tasks.tasks == 312
    networks = [load_model(ARC / "checkpoint"), *load_voters(ARC / "checkpoint")]
    assert [trm.config.colour_maps for trm in networks] == [0, 0, 2]
    # Whatever a task is learnt from takes its graph from here, on whatever canvas.
    canvases = [arc.spec.name for arc in ARCS]
    assert [graph.spec.name for graph in manifest.graphs] == canvases
    assert [graph.spec.name for graph in manifest.voters] == [canvases[0], *canvases]
    held_out = (ROOT / "recipes" / "arc_held_out.txt").read_text().splitlines()
    names = [entry["name"] for entry in json.loads((ARC / "tasks.json").read_text())]
    assert not set(names) & set(held_out)
