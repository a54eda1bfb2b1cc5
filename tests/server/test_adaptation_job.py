"""The process in which a server has a task learnt: what it says, what it leaves, when it ends."""

import json
import subprocess
import sys
from pathlib import Path

from export.graph_writer import REWEIGHTED_PARITY_STEPS
from export.manifest import Manifest
from puzzles.known_tasks import read_known_tasks
from tests.training.arc_tasks import fill_task, write_tasks


def adapt_job(model: Path, task: Path, bundle: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "cli", "adapt-job", *map(str, (model, task, bundle))]
    command += ["--name", "task_1", "--minutes", "0.001", "--no-compile", "--threads", "1"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_the_job_that_a_server_runs_leaves_a_bundle(arc_bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "task.json"
    file.write_text(json.dumps({"id": "task_1", "train": fill_task(0)["train"]}))
    bundle = tmp_path / "bundle"
    with adapt_job(arc_bundle, file, bundle) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        told = [json.loads(line) for line in process.stdout]
        said = process.stderr.read()
    assert process.returncode == 0, said
    assert [one["phase"] for one in told] == ["starting", "exporting", "done"]
    manifest = Manifest.read(bundle)
    assert manifest.tasks is not None
    assert manifest.name.endswith("+task_1")
    [graph] = manifest.graphs
    assert graph.spec.name == "arc-10x10"
    assert graph.parity.supervision_steps == REWEIGHTED_PARITY_STEPS  # nothing was traced
    [known] = read_known_tasks(bundle / manifest.tasks.file)
    assert known.name == "task_1"


def test_the_job_ends_with_its_server(arc_bundle: Path, tmp_path: Path) -> None:
    file = write_tasks(tmp_path / "task.json", fill_task(0))
    with adapt_job(arc_bundle, file, tmp_path / "bundle") as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 1
    assert not (tmp_path / "bundle").exists()
