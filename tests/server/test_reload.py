"""Bundles read again while the server goes on."""

import gc
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from puzzles.restarts import Restart
from server.app import create_app
from server.effort import BudgetRules
from server.lane import Job, Lane
from server.loaded import ReloadFailedError, ReloadRunningError
from server.loading import load_solver
from server.metrics import Metrics
from server.policy import Status
from server.reloading import Reloader
from server.scheduler import Scheduler
from server.schemas import SolveRequest
from server.settings import Settings
from server.solver import Solver
from tests.server.adapting_server import LOOPBACK, until
from tests.server.gated import TIMEOUT_S, GatedEngine
from tests.server.lanes import loaded
from tests.server.tiny_bundle import FOUR, NINE, four_solutions, with_empty, write_bundle

RELOAD = "/v1/models/reload"
EASY = {"kind": "sudoku", "grid": "1234341221434.21"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two bundles: `a` is called one and serves 4×4, `b` is called nine and serves 9×9."""
    write_bundle(tmp_path / "a", [FOUR], name="one")
    write_bundle(tmp_path / "b", [NINE], name="nine")
    return tmp_path


def settings_of(directory: Path) -> Settings:
    return Settings(bundles=(directory / "a", directory / "b"), threads=1)


@contextmanager
def serving(directory: Path) -> Iterator[tuple[TestClient, Solver]]:
    settings = settings_of(directory)
    solver = load_solver(settings)
    with TestClient(create_app(solver, settings), client=LOOPBACK) as client:
        yield client, solver


def model_of(client: TestClient) -> str:
    return str(client.post("/v1/solve", json=EASY).json()["model"])


def swap(path: Path, **bundle: Any) -> None:
    """Write a bundle aside and rename it into its place."""
    aside = path.with_name("aside")
    write_bundle(aside, **bundle)
    shutil.rmtree(path)
    aside.rename(path)


def test_another_bundle_takes_over(directory: Path) -> None:
    with serving(directory) as (client, _):
        swap(directory / "a", puzzles=[FOUR], name="two")
        assert model_of(client) == "one"
        response = client.post(RELOAD)
        assert response.status_code == 200
        answer = response.json()
        assert answer.pop("seconds") >= 0
        assert answer == {
            "added": ["two"],
            "replaced": [],
            "removed": ["one"],
            "unchanged": ["nine"],
        }
        assert model_of(client) == "two"
        assert [one["name"] for one in client.get("/v1/models").json()["models"]] == ["two", "nine"]


def test_other_files_under_the_same_name_replace_a_bundle(directory: Path) -> None:
    with serving(directory) as (client, solver):
        before = solver.loaded
        swap(directory / "a", puzzles=[FOUR], name="one", breaks_at=15)
        assert client.post(RELOAD).json()["replaced"] == ["one"]
        old, new = before.lane("sudoku-4x4"), solver.loaded.lane("sudoku-4x4")
        assert new is not old
        assert new.slots == old.slots, "measured at leisure, at the start"


def test_what_is_unchanged_keeps_its_lanes(directory: Path) -> None:
    with serving(directory) as (client, solver):
        before = solver.loaded.lanes
        shutil.copytree(directory / "a", directory / "copy")
        shutil.rmtree(directory / "a")
        (directory / "copy").rename(directory / "a")
        assert client.post(RELOAD).json()["unchanged"] == ["one", "nine"]
        assert solver.loaded.lanes == before


def wrong_hash(path: Path) -> None:
    (path / "step-sudoku-4x4.onnx").write_bytes(b"other")


def no_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()


def first_step_fails(path: Path) -> None:
    write_bundle(path, [FOUR], name="one", breaks_at=16)  # warming asks for an empty grid


def name_taken(path: Path) -> None:
    write_bundle(path, [FOUR], name="nine")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (wrong_hash, "sha256"),
        (no_manifest, "no such file"),
        (first_step_fails, "the first step failed"),
        (name_taken, "is called nine too"),
    ],
)
def test_a_bad_bundle_leaves_everything_as_it_was(
    directory: Path, spoil: Callable[[Path], None], why: str
) -> None:
    with serving(directory) as (client, solver):
        before = solver.loaded
        spoil(directory / "a")
        write_bundle(directory / "b", [FOUR, NINE], name="good")
        if spoil is name_taken:
            write_bundle(directory / "b", [NINE], name="nine")
        response = client.post(RELOAD)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (422, "reload_failed")
        assert why in problem["detail"]
        assert str(directory) in problem["detail"]
        assert solver.loaded is before
        assert model_of(client) == "one"
        page = client.get("/metrics").text
        assert 'ponder_reloads_total{outcome="failed"} 1.0' in page
        assert 'ponder_reloads_total{outcome="done"} 0.0' in page


def test_metrics_tell_of_what_is_loaded_now(directory: Path) -> None:
    with serving(directory) as (client, _):
        swap(directory / "b", puzzles=[FOUR], name="two")
        client.post(RELOAD)
        page = client.get("/metrics").text
        assert 'ponder_model_info{model="two"' in page
        assert 'model="nine"' not in page
        assert 'ponder_queue_depth{puzzle="sudoku-9x9"}' not in page
        assert 'ponder_queue_depth{puzzle="sudoku-4x4"}' in page


def test_only_an_administrator_reloads(directory: Path) -> None:
    settings = settings_of(directory)
    with TestClient(create_app(load_solver(settings), settings)) as stranger:
        assert stranger.post(RELOAD).status_code in {401, 403}


def test_a_server_that_shuts_down_does_not_reload(directory: Path) -> None:
    with serving(directory) as (client, solver):
        solver.drain(0.0)
        assert client.post(RELOAD).json()["code"] == "draining"


def test_one_reload_at_a_time(directory: Path) -> None:
    """The first one waits for the other end of a pipe that is there in place of a manifest."""
    settings = settings_of(directory)
    reloader = Reloader(load_solver(settings), settings)
    pipe = directory / "b" / "manifest.json"
    pipe.unlink()
    os.mkfifo(pipe)
    failures: list[Exception] = []

    def first() -> None:
        try:
            reloader.reload()
        except ReloadFailedError as error:
            failures.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    with pipe.open("w") as writer:  # returns once the manifest is being read
        with pytest.raises(ReloadRunningError):
            reloader.reload()
        writer.write("no manifest")
    thread.join(TIMEOUT_S)
    assert len(failures) == 1


def lane_of(model: str, engine: GatedEngine) -> Lane:
    return Lane(
        model=model,
        puzzle=FOUR,
        restart=Restart(by="noise", noise_scale=1.0),
        engine=engine,
        scheduler=Scheduler(slots=1, queue_limit=8),
    )


def test_puzzles_of_a_replaced_lane_end_there_and_then_it_is_gone() -> None:
    solution = four_solutions()[0]
    request = SolveRequest(kind="sudoku", grid=with_empty(solution, 4).tolist())
    old_engine, new_engine = (GatedEngine(16, FOUR.encode(solution)) for _ in range(2))
    new_engine.open()
    rules = BudgetRules(1000, 1, max_steps_limit=1000, attempts_limit=1)
    solver = Solver(loaded(lane_of("old", old_engine)), rules, Metrics("0"))

    def submitted() -> Job:
        job = solver.prepare(request, solver.clock())
        solver.submit([job])
        return job

    with solver:
        working, waiting = submitted(), submitted()
        old_engine.wait_for_step()
        prepared = solver.prepare(request, solver.clock())
        solver.replace(loaded(lane_of("new", new_engine)))
        solver.submit([prepared])  # checked before, queued after the lane was replaced
        old_engine.open()
        jobs = (working, waiting, prepared, submitted())
        results = [job.future.result(TIMEOUT_S) for job in jobs]
        assert [result.model for result in results] == ["old", "old", "old", "new"]
        assert {result.finish.status for result in results} == {Status.solved}
        lane = weakref.ref(working.lane)
        del working, waiting, prepared, jobs
        until(lambda: lane() is None)


def test_replaced_lanes_and_their_sessions_are_freed_without_a_collection(
    directory: Path,
) -> None:
    with serving(directory) as (client, solver):
        model_of(client)
        old = weakref.ref(solver.loaded.lane("sudoku-4x4"))
        swap(directory / "a", puzzles=[FOUR], name="two")
        gc.collect()
        gc.disable()
        try:
            client.post(RELOAD)
            until(lambda: old() is None)
        finally:
            gc.enable()
