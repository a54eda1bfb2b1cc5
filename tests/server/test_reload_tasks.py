"""ARC tasks when the bundle that knows them is replaced: those learnt here stay."""

import json
import shutil
from pathlib import Path

from export.manifest import Manifest
from tests.server.adapting_server import NEW, OTHER, Served, ask, problem, register, state
from tests.server.tiny_bundle import FOUR, write_bundle
from tests.training.arc_tasks import fill_task


def test_learnt_tasks_stay_and_known_ones_follow_a_reload(arc_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(arc_bundle, bundle)
    served = Served(bundle, tmp_path / "tasks")
    with served.running() as client:
        learnt = register(client)["id"]
        state(client, learnt, "ready")
        first = ask(client, task=learnt).json()

        Manifest.read(bundle).model_copy(update={"name": "other-arc"}).write(bundle)
        assert client.post("/v1/models/reload").json()["added"] == ["other-arc"]
        assert ask(client, task="fill").json()["model"] == "other-arc"
        assert ask(client, task=learnt).json()["results"] == first["results"]
        assert ask(client, task=learnt, model=first["model"]).status_code == 200
        assert problem(ask(client, task=learnt, model="other-arc")) == (422, "not_served")
        after = register(client, OTHER)["id"]
        state(client, after, "ready")
        kept = json.loads((served.directory / after / "task.json").read_text())
        assert kept["model"] == "other-arc"

        shutil.rmtree(bundle)
        write_bundle(bundle, [FOUR], name="sudoku")
        assert client.post("/v1/models/reload").json()["removed"] == ["other-arc"]
        assert problem(ask(client, task="fill")) == (404, "unknown_task")
        assert ask(client, train=NEW).json()["task"] == learnt
        assert client.get("/v1/tasks").json()["tasks"] == [learnt, after]
        unknown = client.post("/v1/tasks", json={"train": fill_task(77)["train"]})
        assert problem(unknown) == (422, "adaptation_unavailable")
