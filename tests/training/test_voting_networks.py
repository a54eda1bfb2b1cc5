"""Several networks of one checkpoint: they are evaluated together, and learn in turns."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from cli.main import app
from export.subject import open_subject
from model.checkpoint import load_model, load_voters
from puzzles.arc import Arc
from puzzles.arc_task import ArcTask
from puzzles.registry import by_name
from tests.training.arc_tasks import fill_task
from tests.training.task_runs import CPU, plan, small_set, trained
from training import adaptation_try
from training.adaptation import Adaptation
from training.adaptation_plan import AdaptationPlan
from training.known_table import questions_of
from training.task_set import TaskSet
from training.task_solves import answer_all, together


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A task set, and two runs on it from other seeds."""
    directory = tmp_path_factory.mktemp("runs")
    task_set = small_set(directory)
    for seed in (1, 2):
        trained(directory / str(seed), plan(task_set, seed=seed))
    return task_set, directory / "1", directory / "2"


@pytest.fixture(scope="module")
def both(runs: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("both") / "checkpoint"
    ponder("combine", *runs[1:], "--checkpoint", "newest", "--out", out)
    return out


def ponder(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_combining_says_what_came_of_it(runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    said = ponder("combine", *runs[1:], "--out", tmp_path / "out")
    assert "2 checkpoints, 4 tasks that all of them know" in said
    again = CliRunner().invoke(app, ["combine", str(runs[1]), "--out", str(tmp_path / "out")])
    assert again.exit_code == 2
    assert "never overwritten" in again.output


def test_all_votes_are_evaluated(runs: tuple[Path, Path, Path], both: Path, tmp_path: Path) -> None:
    task_set = TaskSet.open(runs[0], with_answers=True)
    arc = by_name(task_set.info.puzzle)
    assert isinstance(arc, Arc)
    votes = []
    for run in runs[1:]:
        [checkpoint] = run.glob("step-*")
        asked = questions_of(checkpoint, task_set)
        stepper = open_subject(checkpoint, arc.spec.name).stepper
        votes.append(answer_all(stepper, arc, asked.questions, views=2, max_steps=2))
    expected = together(votes)
    entries, figures = tmp_path / "submission.json", tmp_path / "figures.json"
    command = ("evaluate", both, "--data", runs[0], "--steps", 2)
    ponder(*command, "--submission", entries, "--json", figures)
    assert json.loads(figures.read_text())["views"] == 4
    found: dict[str, Any] = json.loads(entries.read_text())
    assert len({len(one.votes) for one in expected}) == 1
    for one in expected:
        first = one.candidates[0].answer.tolist() if one.candidates else [[0]]
        assert found[one.question.name][one.question.index]["attempt_1"] == first


def test_tries_begin_with_another_network_each(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is learnt but embeddings: what a try leaves is the network that it began with.
    monkeypatch.setattr(adaptation_try, "ENOUGH_EXACT", 0.0)
    made = AdaptationPlan(
        what="embedding", tries=3, views=2, batch_size=4, check_every=4, compile=False
    )
    task = ArcTask.read(fill_task(7))
    adaptation = Adaptation(both, task, made, device=CPU, clock=lambda: 0.0)
    found = adaptation.run(lambda _: None, lambda: False)
    networks = [load_model(both), *load_voters(both)]
    for one, known in zip(found, (*networks, networks[0]), strict=True):
        weights = known.state_dict()
        for name, array in one.trm.state_dict().items():
            assert name == "body.tasks" or torch.equal(array, weights[name]), name
    assert not torch.equal(networks[0].state_dict()["halt.weight"], networks[1].halt.weight)
    assert len(adaptation.answers("mine", (task.questions[0],))[0].votes) == 6
