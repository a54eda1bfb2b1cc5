"""Servers under load: figures beside those of the engine alone, and every contender for real."""

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uvloop

from bench.engines import Place, Subject, open_engine
from bench.http import figures_of
from bench.http_contenders import Contender, Served, all_contenders
from bench.http_load import Measurement, need_wrk, request_bodies
from bench.http_trial import (
    AT_RATE,
    ONE_BY_ONE,
    SATURATED,
    HttpOptions,
    Load,
    Outcome,
    Trial,
    single,
    verified_share,
    without_http,
)
from bench.report import BenchError
from bench.solvers import setups_for
from server.policy import Budget
from tests.server.tiny_bundle import FOUR, HARD, four_solutions, with_empty, write_bundle
from training.evaluation_data import EvaluationData

ENGINE = "onnxruntime float32"
ONCE = Budget(16, attempts=1)
SOLVED_ONCE = 0.75  # of the puzzles below


def puzzles() -> EvaluationData:
    """Four puzzles, of which one attempt solves three."""
    solution = four_solutions()[0]
    questions = [with_empty(solution, cells).ravel() for cells in (1, 2, 3, HARD + 1)]
    return EvaluationData(
        name="foretold",
        kind=FOUR,
        questions=np.stack(questions),
        answers=np.stack([solution.ravel()] * 4),
        ratings=np.zeros(4, np.int32),
        sources=np.zeros(4, np.uint8),
        source_names=("here",),
    )


@pytest.fixture
def served(tmp_path: Path) -> Served:
    write_bundle(tmp_path)
    return Served(tmp_path, FOUR.spec.name, ENGINE, threads=1, slots=4, budget=ONCE)


def contenders(served: Served) -> dict[str, Contender]:
    pytest.importorskip("litserve", reason="the bench extra is not installed")
    return {one.name: one for one in all_contenders(served, served, Budget(16, attempts=2))}


def measurement(per_second: float, p50_ms: float = 1.0, **statuses: int) -> Measurement:
    counts = {200: round(10 * per_second)} | {int(k[1:]): v for k, v in statuses.items()}
    return Measurement(10.0, counts, p50_ms, 2 * p50_ms, 4 * p50_ms)


ALONE = Outcome(1.0, {ONE_BY_ONE: measurement(50, 4.0), SATURATED: measurement(200)})


def outcome(load: Load, seen: Measurement) -> list[Outcome]:
    return [Outcome(0.5, {load: seen})]


def test_one_connection_is_compared_with_one_puzzle_after_the_other() -> None:
    figures = figures_of(single(1), outcome(single(1), measurement(40, 5.0)), [ALONE])
    assert figures["p50 of alone"].median == 1.25
    assert figures["goodput"].median == 20
    assert "of slots full" not in figures


def test_many_connections_and_batches_are_compared_with_full_slots() -> None:
    many, batch = single(64), Load("batch of 4", 16, 4)
    assert (
        figures_of(many, outcome(many, measurement(150)), [ALONE])["of slots full"].median == 0.75
    )
    figures = figures_of(batch, outcome(batch, measurement(45)), [ALONE])
    assert (figures["rate"].median, figures["of slots full"].median) == (180, 0.9)


def test_an_open_loop_tells_how_far_its_slowest_lie_from_the_middle() -> None:
    figures = figures_of(AT_RATE, outcome(AT_RATE, measurement(75, 3.0)), [ALONE])
    assert figures["p99 / p50"].median == 4
    assert "of slots full" not in figures


def test_failures_have_a_column_of_their_own() -> None:
    load = single(64)
    rounds = outcome(load, measurement(1)) + outcome(load, measurement(1, s429=3, s0=1))
    figures = figures_of(load, rounds, [ALONE, ALONE])
    assert figures["status 429"].rounds == (0, 3)
    assert figures["status 0"].rounds == (0, 1)


def test_without_http_the_engine_solves_what_it_can(served: Served) -> None:
    place = Place("cpu", 1)
    subject = Subject.open(served.bundle, served.puzzle)
    [setup] = setups_for(subject, open_engine(subject, place, ENGINE)[1], place, (2,))
    found = without_http(setup, puzzles(), ONCE, HttpOptions((1,), (), seconds=1, rounds=1))
    assert found.verified == SOLVED_ONCE
    assert all(one.per_second > 0 and set(one.statuses) == {200} for one in found.loads.values())


@pytest.mark.parametrize("name", ["LitServe, until all halted", "FastAPI, one by one"])
def test_a_peer_answers_as_the_rules_want_and_ends_with_its_processes(
    served: Served, name: str
) -> None:
    data = puzzles()
    with contenders(served)[name].running() as server:
        assert uvloop.run(verified_share(server, data, request_bodies(data))) == SOLVED_ONCE
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port))


def test_every_load_of_the_server_is_measured(served: Served, tmp_path: Path) -> None:
    try:
        need_wrk()
    except BenchError as error:
        pytest.skip(str(error))
    options = HttpOptions(connections=(2,), batches=(4,), seconds=1, rounds=1)
    found = Trial(contenders(served)["ponder"], puzzles(), options, tmp_path).run()
    assert found.verified == SOLVED_ONCE
    assert [load.name for load in found.loads] == ["single", AT_RATE.name, "batch of 4"]
    assert all(set(one.statuses) == {200} for one in found.loads.values())


def test_with_its_whole_budget_the_server_solves_more(served: Served) -> None:
    data = puzzles()
    with contenders(served)["ponder, 16 x 2"].running() as server:
        assert uvloop.run(verified_share(server, data, request_bodies(data))) == 1.0


def test_a_server_that_does_not_start_says_why(served: Served) -> None:
    broken = replace(served, puzzle="sudoku-5x5")
    with (
        pytest.raises(BenchError, match="no graph for sudoku-5x5"),
        contenders(broken)["FastAPI, one by one"].running(),
    ):
        pass
