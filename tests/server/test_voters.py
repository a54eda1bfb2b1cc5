"""A bundle in which several networks know the same tasks: all their views vote."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from export.inspection import inspect_bundle
from export.manifest import BundleError, Manifest
from export.subject import open_voters
from model.checkpoint import load_model, load_voters
from model.stepper import FRESH, TorchStepper
from model.trm import TinyRecursiveModel
from server.app import create_app
from server.loading import load_solver, open_task_lanes
from server.settings import Settings
from tests.model.small import small_trm
from tests.server.arc_bundle import GRID, KNOWING, STEPS, TEN, arc_trm, write_arc_bundle
from training.known_table import checkpoint_of
from training.task_solves import Question, answer_all, together

SEEDS = (4, 5)  # of the further networks


def networks() -> list[TinyRecursiveModel]:
    return [arc_trm(), *(small_trm(KNOWING, TEN.spec, seed=seed) for seed in SEEDS)]


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
    assert len(load_voters(inside)) == len(SEEDS)
    tokens = TEN.encode(TEN.on_canvas(np.array(GRID, np.uint8)))[None]
    fresh, noise = np.array([FRESH]), np.zeros((1, arc_trm().state_len(len(tokens[0]))), np.float32)
    logits = [
        [stepper.step(tokens, fresh, noise, np.array([3])).q_halt for stepper in steppers]
        for steppers in (
            open_voters(path, TEN.spec.name, threads=1) for path in (bundle, inside, checkpoint)
        )
    ]
    assert len(np.unique(logits[2])) == len(SEEDS)
    np.testing.assert_allclose(logits[0], logits[2], atol=1e-5)
    np.testing.assert_array_equal(logits[1], logits[2])


def test_a_learnt_task_has_a_lane_for_each(bundle: Path) -> None:
    lanes = open_task_lanes(bundle, Settings(bundles=(bundle,), threads=1))
    assert [(lane.model, lane.name, lane.slots) for lane in lanes] == [
        ("tiny-arc", "arc-10x10", 8)
    ] * 3


def test_a_damaged_one_is_refused(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in bundle.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    (copy / "voter-3-arc-10x10.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"voter-3-arc-10x10\.onnx: sha256"):
        load_solver(Settings(bundles=(copy,), threads=1, slots=1))
