"""`ponder bench engine`, on a network whose every step can be foretold."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.engine import FIXED, IN_FLIGHT, UNTIL_HALTED, EngineOptions, bench_engine, gain_of_ideal
from bench.engines import Place, Subject, open_engine
from bench.growth import bench_growth
from bench.report import Report
from bench.solvers import Setup, setups_for, solve_in_flight, solve_static
from bench.tally import Tally
from cli.main import app
from server.policy import Budget
from tests.server.tiny_bundle import FOUR, HARD, four_solutions, with_empty, write_bundle
from training.evaluation_data import EvaluationData

PLACE = Place("cpu", threads=1)
MOST = 8  # supervision steps
EMPTY = (1, 5, 2, 2, 7)  # cells of five puzzles, and so the steps that each needs


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    write_bundle(tmp_path)
    subject = Subject.open(tmp_path, FOUR.spec.name)
    return setups_for(subject, open_engine(subject, PLACE)[1], PLACE, (2,))[0]


def puzzles(*empty: int) -> EvaluationData:
    """One puzzle for each number of empty cells, all of the same solution."""
    solution = four_solutions()[0]
    count = len(empty)
    return EvaluationData(
        name="foretold",
        kind=FOUR,
        questions=np.stack([with_empty(solution, cells).ravel() for cells in empty]),
        answers=np.stack([solution.ravel()] * count),
        ratings=np.zeros(count, np.int32),
        sources=np.zeros(count, np.uint8),
        source_names=("here",),
    )


def test_in_flight_a_row_runs_only_until_it_is_verified(setup: Setup) -> None:
    tally = solve_in_flight(setup, puzzles(*EMPTY), Budget(MOST, attempts=1))
    assert (tally.verified, tally.exact, tally.puzzles) == (5, 5, 5)
    assert tally.steps == tally.row_steps == sum(EMPTY)


def test_with_fixed_steps_every_row_makes_all_of_them(setup: Setup) -> None:
    tally = solve_static(setup, puzzles(*EMPTY), MOST, stops_early=False)
    assert (tally.verified, tally.exact) == (5, 5)
    assert tally.steps == tally.row_steps == 5 * MOST
    assert tally.calls == 3 * MOST  # batches of two


def test_a_static_batch_ends_with_its_slowest_row(setup: Setup) -> None:
    tally = solve_static(setup, puzzles(*EMPTY), MOST, stops_early=True)
    assert (tally.verified, tally.exact) == (5, 5)
    assert tally.steps == sum(EMPTY)
    assert tally.row_steps == 2 * 5 + 2 * 2 + 1 * 7


def test_a_static_batch_with_an_unsolved_row_runs_to_the_end(setup: Setup) -> None:
    tally = solve_static(setup, puzzles(1, MOST + 1), MOST, stops_early=True)
    assert (tally.verified, tally.row_steps, tally.steps) == (1, 2 * MOST, 1 + MOST)


def test_further_attempts_solve_what_the_first_cannot(setup: Setup) -> None:
    hard = puzzles(HARD + 1)
    assert solve_in_flight(setup, hard, Budget(16, attempts=1)).verified == 0
    assert solve_in_flight(setup, hard, Budget(16, attempts=2)).verified == 1


def test_time_outside_the_engine_is_what_is_left(setup: Setup) -> None:
    tally = solve_in_flight(setup, puzzles(*EMPTY), Budget(MOST, attempts=1))
    assert 0 < tally.engine_s < tally.seconds
    assert tally.outside_s == tally.seconds - tally.preparing_s - tally.engine_s
    assert tally.outside_s > 0


def test_a_contender_that_saves_steps_and_time_alike_reaches_the_ideal() -> None:
    def tally(steps: int, seconds: float) -> Tally:
        return Tally(
            puzzles=10,
            verified=10,
            exact=10,
            steps=steps,
            row_steps=steps,
            calls=1,
            seconds=seconds,
            preparing_s=0.0,
            engine_s=seconds,
            cpu_s=seconds,
        )

    fixed = tally(160, 8.0)
    assert gain_of_ideal(fixed, fixed, 16) == 1.0
    assert gain_of_ideal(tally(40, 2.0), fixed, 16) == 1.0
    assert gain_of_ideal(tally(40, 4.0), fixed, 16) == 0.5


def test_every_contender_has_a_row_and_only_equal_budgets_are_compared(setup: Setup) -> None:
    options = EngineOptions(PLACE, 2, MOST, Budget(MOST, attempts=3), ladder_puzzles=2)
    told: list[str] = []
    report = bench_engine([setup], [puzzles(*EMPTY)], options, {}, "ponder", told.append)
    rows = {row.labels["contender"]: row.figures for row in report.rows}
    ladder = f"{IN_FLIGHT}, {MOST} x 3"
    assert list(rows) == [FIXED, UNTIL_HALTED, IN_FLIGHT, ladder]
    assert rows[IN_FLIGHT]["mean steps"].rounds == (3.4, 3.4)
    assert rows[FIXED]["share of ideal"].rounds == (1.0, 1.0)
    assert "share of ideal" not in rows[ladder]
    assert told[1:5] == [f"foretold, 2 slots: {name}, round 1 of 2" for name in rows]


def test_growth_does_the_same_work_at_every_queue_length(setup: Setup) -> None:
    once, sets = Budget(MOST, attempts=1), [puzzles(2, 2, 2, 2)]
    report = bench_growth(setup, sets, (1, 5), once, 2, {}, "ponder", lambda _: None)
    assert [row.labels["waiting"] for row in report.rows] == [1, 5]
    for row in report.rows:
        figures = row.figures
        steps_of_a_puzzle = figures["puzzle-steps"].median / figures["puzzles"].median
        assert steps_of_a_puzzle == pytest.approx(2.0)
        assert figures["resident"].lowest > 1


@pytest.mark.parametrize(
    ("options", "labels"),
    [([], {"data", "slots", "contender"}), (["--waiting", "2,4"], {"data", "waiting"})],
)
def test_the_command_generates_its_puzzles_and_ends_with_json(
    options: list[str], labels: set[str], tmp_path: Path
) -> None:
    write_bundle(tmp_path)
    command = ["bench", "engine", "--quick", "--json", "--bundle", str(tmp_path), "--slots", "8"]
    picture = ["--puzzle", FOUR.spec.name, "--plot", str(tmp_path / "engine.png"), *options]
    result = CliRunner().invoke(app, [*command, *picture])
    assert result.exit_code == 0, result.output
    report = Report.model_validate_json(result.stdout)
    assert {row.labels["data"] for row in report.rows} == {"fresh minimal", "fresh easy"}
    assert set(report.rows[0].labels) == labels
    assert (tmp_path / "engine.png").exists()


def test_data_that_is_not_there_is_one_red_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["bench", "engine", "--data", str(tmp_path / "no.csv")])
    assert result.exit_code == 2
    assert "no.csv" in "".join(result.output.split())
