"""Where settings come from."""

from pathlib import Path

import pytest

from server.__main__ import main
from server.settings import SHIPPED_BUNDLES, find_bundle, read_settings


def test_flags_beat_the_environment_and_it_beats_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PONDER_SLOTS", "7")
    monkeypatch.setenv("PONDER_PORT", "9000")
    settings = read_settings(["--slots", "8"])
    assert (settings.slots, settings.port, settings.host) == (8, 9000, "127.0.0.1")


@pytest.mark.parametrize(
    ("environment", "flags"),
    [
        ("a,b", []),
        ("c", ["--bundles", "a,b"]),
        ("c", ["--bundle", "a", "--bundle", "b"]),
    ],
)
def test_there_may_be_several_bundles(
    environment: str, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PONDER_BUNDLES", environment)
    assert read_settings(flags).bundles == (Path("a"), Path("b"))


def test_an_unknown_flag_ends_the_process_with_status_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_settings(["--prot", "80"])
    assert ended.value.code == 2
    assert "--prot" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--port", "seventy"], "port: Input should be a valid integer"),
        (["--slots", "0"], "slots: Input should be greater than or equal to 1"),
        (["--device", "tpu"], "device: Input should be 'cpu' or 'cuda'"),
        (["--batch-limit", "9", "--queue-limit", "8"], "batch_limit 9 is above queue_limit 8"),
        (["--cuda-graphs", "true", "--device", "cuda"], "cuda_graphs needs device cuda, and buck"),
    ],
)
def test_settings_that_cannot_be_end_in_one_line_and_status_2(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_bundle_is_looked_for_here_and_then_beside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    beside = find_bundle(Path("tests"))
    assert beside == Path(__file__).parents[1]
    (tmp_path / "tests").mkdir()
    assert find_bundle(Path("tests")) == Path("tests")
    assert find_bundle(Path("nowhere")) == Path("nowhere")
    assert (Path("bundles/sudoku"), Path("bundles/arc-small")) == SHIPPED_BUNDLES
