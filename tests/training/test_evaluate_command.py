"""`ponder evaluate` and `ponder plot` as a person types them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.evaluating import until_interrupted
from cli.main import app
from export.manifest import Manifest
from tests.server.tiny_bundle import FOUR, HARD, four_solutions, with_empty, write_bundle
from tests.training.small_runs import data_set, recipe, train, trainer
from training.evaluation import Evaluated
from training.evaluation_figures import Evaluation
from training.plot import plot_run
from training.run_log import RunLogError

PNG = b"\x89PNG\r\n\x1a\n"


def _ponder(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _csv(path: Path, empties: list[int]) -> Path:
    """One puzzle for each number of empty cells."""
    rows = [
        f"tiny,{FOUR.format(with_empty(four_solutions()[0], empty))},"
        f"{FOUR.format(four_solutions()[0])},{empty}"
        for empty in empties
    ]
    path.write_text("\n".join(["source,question,answer,rating", *rows, ""]))
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Solves a question with k empty cells in k steps, more than HARD only from noise."""
    write_bundle(tmp_path / "bundle", (FOUR,))
    return tmp_path / "bundle"


def test_a_bundle_is_measured_drawn_and_recorded(tmp_path: Path, bundle: Path) -> None:
    data = _csv(tmp_path / "data.csv", [2, 4, 6, HARD + 1])
    result = _ponder(
        *("evaluate", bundle, "--data", data, "--steps", "4,12", "--threads", 1),
        *("--attempts", "1,2", "--attempt-steps", 12, "--unsolved", tmp_path / "left.jsonl"),
        *("--json", tmp_path / "out.json", "--plot", tmp_path / "out.png", "--record"),
        *("--markdown", tmp_path / "out.md"),
    )
    assert result.exit_code == 0, result.output
    assert "tiny on 4 puzzles of data.csv" in " ".join(result.output.split())
    figures = Evaluation.model_validate_json((tmp_path / "out.json").read_bytes())
    assert [row.verified for row in figures.budgets] == [0.5, 0.75, 1.0]
    assert figures.by_attempt[-1].mean_supervision_steps == (2 + 4 + 6 + 12 + HARD + 1) / 4
    assert figures.restart.noise_scale == 0.5
    assert (tmp_path / "out.png").read_bytes().startswith(PNG)
    assert figures.origin
    assert figures.origin.machine in (tmp_path / "out.md").read_text()
    assert (tmp_path / "left.jsonl").read_text() == ""
    assert not list(tmp_path.glob("*.partial"))
    recorded = [row for row in Manifest.read(bundle).accuracy if row.data == "data.csv"]
    assert [(row.supervision_steps, row.attempts, row.exact) for row in recorded] == [
        (4, 1, 0.5),
        (12, 1, 0.75),
        (12, 2, 1.0),
    ]


def test_json_alone_is_on_stdout(tmp_path: Path, bundle: Path) -> None:
    data = _csv(tmp_path / "data.csv", [1, 2, 3])
    result = _ponder(
        *("evaluate", bundle, "--data", data, "--steps", 2, "--json", "-", "--puzzle-limit", 2)
    )
    figures = json.loads(result.stdout)
    assert figures["puzzles"] == 2
    [budget] = figures["groups"][0]["depth"]
    assert (budget["supervision_steps"], budget["exact"], budget["verified"]) == (2, 0.5, 0.5)
    assert "tiny on 2 puzzles" in " ".join(result.stderr.split())


def test_unsolved_puzzles_are_lines_of_json(tmp_path: Path, bundle: Path) -> None:
    data, left = _csv(tmp_path / "data.csv", [1, 6, 9]), tmp_path / "left.jsonl"
    result = _ponder("evaluate", bundle, "--data", data, "--steps", 3, "--unsolved", left)
    assert result.exit_code == 0, result.output
    puzzles = [json.loads(line) for line in left.read_text().splitlines()]
    assert [puzzle["rating"] for puzzle in puzzles] == [6, 9]
    # It answers with the question itself, so far.
    assert [puzzle["wrong_cells"] for puzzle in puzzles] == [6, 9]
    assert puzzles[0]["answer"] == puzzles[0]["question"]


def test_finished_parts_are_kept_and_fit_the_same_evaluation_only(
    tmp_path: Path, bundle: Path
) -> None:
    data, parts = _csv(tmp_path / "data.csv", [1, 6]), tmp_path / "parts"
    command = ("evaluate", bundle, "--data", data, "--parts", parts, "--json", "-")
    first, again = (_ponder(*command, "--steps", 3) for _ in range(2))
    assert first.stdout == again.stdout
    other = _ponder(*command, "--steps", 4)
    assert other.exit_code == 2
    assert "holds parts of another evaluation" in " ".join(other.output.split())


def test_ctrl_c_keeps_the_parts_that_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    done = [Evaluated(Evaluation.model_construct(puzzles=count), (), 1.0) for count in (1, 2)]
    written: list[Evaluated] = []

    def parts() -> Iterator[Evaluated]:
        yield from done
        raise KeyboardInterrupt

    def write(part: Evaluated) -> Evaluated:
        written.append(part)
        return part

    assert until_interrupted(parts(), write) is done[1]
    assert written == done
    assert "interrupted" in capsys.readouterr().err


def test_a_run_gives_the_accuracy_that_its_validation_gave(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", train=100, validation=40)
    lane = {
        "puzzle": "sudoku-4x4",
        "batch_size": 32,
        "sources": [{"path": str(data)}],
        "validation": str(data),
    }
    made = trainer(recipe(lanes=[lane], optimizer_steps=60, ema_rate=0.8), tmp_path / "run")
    train(made)
    validated = made.validate()["sudoku-4x4/validation_exact"]
    result = _ponder(
        *("evaluate", tmp_path / "run", "--data", data, "--split", "validation"),
        *("--steps", 3, "--json", "-"),
    )
    figures = Evaluation.model_validate_json(result.stdout)
    assert figures.model == "small at 60"
    assert figures.budgets[0].exact == validated
    assert 0 < validated < 1


def test_what_is_wrong_is_one_line(tmp_path: Path, bundle: Path) -> None:
    data = _csv(tmp_path / "data.csv", [1])
    nine = tmp_path / "nine.csv"
    line = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
    nine.write_text(f"source,question,answer,rating\nx,.{line[1:]},{line},0\n")
    train(trainer(recipe(), tmp_path / "run"), until=1)
    checkpoint = tmp_path / "run" / "step-00000001"
    cases: list[tuple[list[object], str]] = [
        ([tmp_path / "none", "--data", data], "model.json: no such file"),
        ([bundle, "--data", tmp_path / "none"], "none: cannot be read"),
        ([bundle, "--data", nine], "no graph for sudoku-9x9; it has sudoku-4x4"),
        ([checkpoint, "--data", nine], "knows no sudoku-9x9; it answers sudoku-4x4"),
        ([bundle, "--data", data, "--steps", "x"], "steps 'x': expected numbers"),
        ([checkpoint, "--data", data, "--device", "cuda:99"], "no device 'cuda:99' here"),
        ([checkpoint, "--data", data, "--record"], "manifest.json: no such file"),
    ]
    for arguments, message in cases:
        result = _ponder("evaluate", *arguments)
        assert result.exit_code == 2, message
        assert message in " ".join(result.output.split())
        assert "Traceback" not in result.output


def test_the_curves_of_a_run_are_drawn(tmp_path: Path) -> None:
    train(trainer(recipe(), tmp_path / "run"))
    assert _ponder("plot", tmp_path / "run").exit_code == 0
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(PNG)
    assert _ponder("plot", tmp_path / "run", "--out", tmp_path / "a" / "b.png").exit_code == 0
    assert (tmp_path / "a" / "b.png").read_bytes().startswith(PNG)


def test_a_directory_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    result = _ponder("plot", tmp_path)
    assert result.exit_code == 2
    assert "metrics.jsonl: no such file" in " ".join(result.output.split())


def test_a_run_that_logged_nothing_has_no_curves(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(RunLogError, match="nothing is logged yet"):
        plot_run(tmp_path, tmp_path / "out.png")
