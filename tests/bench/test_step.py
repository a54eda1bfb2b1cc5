"""`ponder bench step`, on networks of a few numbers."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.engines import ENGINES, Place, Subject, open_engine
from bench.models import PAPER_MLP, Measured, of_bundle, write_random_bundle
from bench.report import BenchError, Report
from bench.step import StepOptions, bench_step, too_much
from cli.main import app
from kernel.isa import UnsupportedError, host_isa
from model.config import ModelConfig
from model.flops import step_flops
from server.engine import StepInputs
from tests.server.tiny_bundle import FOUR, NINE, write_bundle

PLACE = Place("cpu", threads=1)
LATTICE = ModelConfig(
    cell="lattice", hidden_size=16, blocks=1, latent_recursions=1, deep_recursions=2, expansion=2.0
)
MLP = ModelConfig(cell="mlp", hidden_size=16, blocks=1, latent_recursions=1, deep_recursions=1)
QUICK = StepOptions(PLACE, batches=(1, 3), all_batches=True, seconds=0.0, rounds=2)
EVERYWHERE = {"compiled float32", "onnxruntime float32", "torch float32"}


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile takes longer than all the rest."""
    monkeypatch.setenv("CXX", "no-such-compiler")


@pytest.fixture(scope="module")
def lattice(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return write_random_bundle("random", LATTICE, FOUR.spec, tmp_path_factory.mktemp("random"))


def silent(_: str) -> None:
    pass


def here() -> set[str]:
    """The contenders that run on this CPU."""
    try:
        host_isa("bfloat16", sizes=(16, 32))
    except UnsupportedError:
        return EVERYWHERE
    return {*EVERYWHERE, "compiled bfloat16"}


def test_every_contender_is_measured_at_every_batch_size(lattice: Measured) -> None:
    report = bench_step([lattice], QUICK, "ponder bench step", silent)
    names = {*here(), "GEMM float32", "GEMM bfloat16"}
    seen = {(row.labels["contender"], row.labels["batch"]) for row in report.rows}
    assert seen == {(name, batch) for name in names for batch in (1, 3)}
    assert all(len(row.figures["puzzle-steps"].rounds) == 2 for row in report.rows)
    assert any("no-such-compiler" in note for note in report.notes)


def test_arithmetic_is_speed_times_the_products_of_a_step(lattice: Measured) -> None:
    gflop = step_flops(LATTICE, FOUR.spec) / 1e9
    for row in bench_step([lattice], QUICK, "", silent).rows:
        speeds = row.figures["puzzle-steps"].rounds
        assert row.figures["arithmetic"].rounds == tuple(gflop * speed for speed in speeds)


def test_a_share_is_of_the_gemm_of_like_precision_in_the_same_round(lattice: Measured) -> None:
    rows = {
        row.labels["contender"]: row.figures
        for row in bench_step([lattice], QUICK, "", silent).rows
        if row.labels["batch"] == 3
    }
    ours, most = (rows[name]["puzzle-steps"].rounds for name in ("torch float32", "GEMM float32"))
    expected = tuple(a / b for a, b in zip(ours, most, strict=True))
    assert rows["torch float32"]["share of GEMM"].rounds == expected
    assert rows["GEMM bfloat16"]["share of GEMM"].rounds == (1.0, 1.0)


def test_a_bundle_tells_the_sizes_of_its_network(lattice: Measured) -> None:
    assert of_bundle(lattice.subject.bundle, FOUR.spec.name).config == LATTICE
    shipped = of_bundle(Path("bundles/sudoku"), FOUR.spec.name).config
    assert shipped is not None
    assert (shipped.hidden_size, shipped.blocks, shipped.latent_recursions) == (32, 1, 3)


def test_all_engines_give_the_same_answers(lattice: Measured) -> None:
    tokens = np.stack([FOUR.encode(np.zeros((4, 4), np.uint8))] * 2)
    tokens[1, 3] = 4
    inputs = StepInputs(tokens, np.full(2, -1), np.zeros((2, 64), np.float32))
    steps = [
        choice.open(lattice.subject, PLACE).step(inputs)
        for choice in ENGINES
        if choice.name in here() and choice.precision == "float32"
    ]
    assert len(steps) == 2
    np.testing.assert_allclose(steps[0].q_halt, steps[1].q_halt, atol=1e-4)


def test_a_network_of_another_cell_has_a_graph_and_no_compiled_engine(tmp_path: Path) -> None:
    mlp = write_random_bundle("mlp", MLP, FOUR.spec, tmp_path)
    report = bench_step([mlp], QUICK, "", silent)
    engines = {row.labels["contender"] for row in report.rows}
    ours = {"onnxruntime float32", "onnxruntime int8"}
    assert engines == ours | {"torch float32", "GEMM float32", "GEMM bfloat16"}
    assert open_engine(mlp.subject, PLACE)[0] == "onnxruntime float32"


def test_an_engine_that_does_not_exist_is_refused_with_those_that_do(lattice: Measured) -> None:
    with pytest.raises(BenchError, match="there are compiled bfloat16"):
        open_engine(lattice.subject, PLACE, "abacus")


def test_a_puzzle_that_the_bundle_lacks_is_refused(lattice: Measured) -> None:
    with pytest.raises(BenchError, match="no graph for sudoku-9x9; it has sudoku-4x4"):
        Subject.open(lattice.subject.bundle, NINE.spec.name)


def test_batches_that_take_minutes_are_left_out_unless_asked_for(lattice: Measured) -> None:
    unasked = StepOptions(PLACE, batches=(16, 64), all_batches=False, seconds=0.0, rounds=1)
    four, subject = Measured(lattice.subject, PAPER_MLP), lattice.subject
    entry = subject.entry.model_copy(update={"spec": NINE.spec})
    nine = Measured(Subject(subject.bundle, subject.manifest, entry), PAPER_MLP)
    assert [too_much(nine, batch, unasked) for batch in (16, 64)] == [False, True]
    assert not too_much(nine, 64, QUICK)
    assert not too_much(four, 64, unasked)


def test_the_command_ends_with_one_json_object_on_stdout(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tiny")
    command = ["bench", "step", "--quick", "--model", "bundle", "--bundle", str(tmp_path / "tiny")]
    files = ["--out", str(tmp_path / "step.json"), "--plot", str(tmp_path / "step.png")]
    result = CliRunner().invoke(app, [*command, "--puzzle", FOUR.spec.name, "--json", *files])
    assert result.exit_code == 0, result.output
    report = Report.model_validate_json(result.stdout)
    assert {row.labels["contender"] for row in report.rows} == {"onnxruntime float32"}
    assert "does not tell the network's sizes" in result.stderr
    assert Report.model_validate_json((tmp_path / "step.json").read_text()) == report
    assert (tmp_path / "step.png").exists()


@pytest.mark.parametrize("batches", ["0", "1;2", "many"])
def test_batches_that_are_no_numbers_are_one_red_line(batches: str) -> None:
    result = CliRunner().invoke(app, ["bench", "step", "--batches", batches])
    assert result.exit_code == 2
    assert "expected numbers from 1" in " ".join(result.output.split())
