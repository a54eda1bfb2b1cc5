"""A bundle in which several networks know the same tasks: all their views vote."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from export.errors import ReweightingError
from export.graph_writer import check_parity
from export.inspection import inspect_bundle
from export.manifest import MANIFEST_FILE, BundleError, Manifest
from export.reweighting import write_reweighted_graph
from export.subject import open_voters
from model.checkpoint import load_model, load_voters
from model.stepper import FRESH, TorchStepper
from model.trm import TinyRecursiveModel
from puzzles.arc import ARCS
from server.app import create_app
from server.loading import load_solver, open_task_lanes
from server.settings import Settings
from tests.model.small import small_trm
from tests.server.arc_bundle import GRID, KNOWING, STEPS, TEN, arc_trm, write_arc_bundle
from training.known_table import checkpoint_of
from training.task_solves import Question, answer_all, together

WIDER = KNOWING.model_copy(update={"hidden_size": 12})  # the last network is of another size


def networks() -> list[TinyRecursiveModel]:
    further = ((KNOWING, 4), (WIDER, 5))
    return [arc_trm(), *(small_trm(config, TEN.spec, seed=seed) for config, seed in further)]


@pytest.fixture(scope="module")
def bundle(arc_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    first, *others = networks()
    directory = tmp_path_factory.mktemp("voters")
    return write_arc_bundle(first, directory, voters=others, like=arc_bundle)


@pytest.fixture(scope="module")
def client(bundle: Path) -> Iterator[TestClient]:
    settings = Settings(bundles=(bundle,), threads=1, slots=3)
    with TestClient(create_app(load_solver(settings), settings)) as served:
        yield served


def solve(client: TestClient, **body: Any) -> Any:
    asked = {"kind": "arc", "task": "fill", "test": [GRID]} | body
    return client.post("/v1/solve", json=asked)


def test_all_networks_vote_alike(client: TestClient) -> None:
    [found] = solve(client).json()["results"]
    question = [Question("fill", 0, np.array(GRID, np.uint8), first_task=2)]
    tries = [
        answer_all(TorchStepper(trm, TEN.spec), TEN, question, views=2, max_steps=STEPS)
        for trm in networks()
    ]
    assert len({str([vote.answer.tolist() for vote in one.votes]) for [one] in tries}) == 3
    [expected] = together(tries)
    assert (found["views"], found["mean_steps"]) == (6, pytest.approx(expected.mean_steps))
    for attempt, candidate in zip(found["attempts"], expected.candidates, strict=False):
        assert attempt["votes"] == candidate.votes
        assert attempt["share"] == candidate.share
        assert attempt["halt_probability"] == pytest.approx(candidate.halt_probability, abs=1e-4)
    most = max(candidate.votes for candidate in expected.candidates)
    assert found["attempts"][0]["votes"] == most


def test_fewer_views_ask_every_network_first(client: TestClient) -> None:
    [found] = solve(client, views=3).json()["results"]
    assert found["views"] == 3
    question = [Question("fill", 0, np.array(GRID, np.uint8), first_task=2)]
    [expected] = together(
        [
            answer_all(TorchStepper(trm, TEN.spec), TEN, question, views=1, max_steps=STEPS)
            for trm in networks()
        ]
    )
    answers = {str(candidate.answer.tolist()) for candidate in expected.candidates}
    assert {str(attempt["answer"]) for attempt in found["attempts"]} <= answers
    refused = solve(client, views=7)
    assert refused.status_code == 422
    assert "6" in refused.text


def test_a_checkpoint_and_its_bundle_hold_them(bundle: Path) -> None:
    checkpoint = bundle.with_name("checkpoint")
    held = [load_model(checkpoint), *load_voters(checkpoint)]
    for found, made in zip(held, networks(), strict=True):
        for name, weights in made.state_dict().items():
            assert (found.state_dict()[name] == weights).all(), name
    manifest = Manifest.read(bundle)
    assert [named.file for named in manifest.files] == [
        "step-arc-10x10.onnx",
        "tasks.json",
        "voter-2-arc-10x10.onnx",
        "voter-3-arc-10x10.onnx",
    ]


def test_all_are_looked_at(bundle: Path) -> None:
    found = inspect_bundle(bundle, lambda *_: [])
    assert len(found.graphs) == 3
    assert found.problems == ()


def test_the_same_networks_are_evaluated_and_adapted_from(bundle: Path) -> None:
    checkpoint = bundle.with_name("checkpoint")
    inside = checkpoint_of(bundle)
    assert len(load_voters(inside)) == 2
    tokens = TEN.encode(TEN.on_canvas(np.array(GRID, np.uint8)))[None]
    fresh, noise = np.array([FRESH]), np.zeros((1, arc_trm().state_len(len(tokens[0]))), np.float32)
    logits = [
        [stepper.step(tokens, fresh, noise, np.array([3])).q_halt for stepper in steppers]
        for steppers in (
            open_voters(path, TEN.spec.name, threads=1) for path in (bundle, inside, checkpoint)
        )
    ]
    assert len(np.unique(logits[2])) == 2
    np.testing.assert_allclose(logits[0], logits[2], atol=1e-5)
    np.testing.assert_array_equal(logits[1], logits[2])


def test_a_learnt_task_has_a_lane_for_each(bundle: Path) -> None:
    lanes = open_task_lanes(bundle, Settings(bundles=(bundle,), threads=1))
    assert [(lane.model, lane.name, lane.slots) for lane in lanes] == [
        ("tiny-arc", "arc-10x10", 8)
    ] * 3


def test_each_is_learnt_from_with_its_own_graph(bundle: Path, tmp_path: Path) -> None:
    for config in (KNOWING, WIDER):
        trm = small_trm(config.model_copy(update={"tasks": 1}), TEN.spec, seed=6)
        path = tmp_path / f"{config.hidden_size}.onnx"
        write_reweighted_graph(trm, TEN.spec, bundle, path)
        assert check_parity(trm, TEN.spec, path, 4, max_steps=2).same_answers == 4
    deeper = WIDER.model_copy(update={"latent_recursions": 2})
    with pytest.raises(ReweightingError, match="it is of another network"):
        write_reweighted_graph(small_trm(deeper, TEN.spec), TEN.spec, bundle, tmp_path / "no.onnx")


def test_of_further_canvases_no_lane_is_opened(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = json.loads((copy / MANIFEST_FILE).read_text())
    voters = manifest["tasks"]["voters"]
    voters.append(voters[-1] | {"spec": ARCS[1].spec.model_dump()})
    (copy / MANIFEST_FILE).write_text(json.dumps(manifest))
    [opened] = load_solver(Settings(bundles=(copy,), threads=1, slots=1)).loaded.bundles
    assert {lane.name for task in opened.tasks for lane in task.lanes()} == {TEN.spec.name}
    assert len(opened.tasks[0].lanes()) == 3


def test_a_damaged_one_is_refused(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "voter-3-arc-10x10.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"voter-3-arc-10x10\.onnx: sha256"):
        load_solver(Settings(bundles=(copy,), threads=1, slots=1))
