"""What clients send to break a parser, a path or a log, and what a bundle may not hold."""

import gzip
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from starlette.testclient import TestClient

from export.manifest import BundleError, Manifest
from server.app import create_app
from server.batches.service import Batches
from server.engine import OnnxEngine
from server.loading import load_solver
from server.settings import Settings
from tests.server.tiny_bundle import FOUR, write_bundle

DEEP = 100_000
SOLVED = b'{"kind": "sudoku", "grid": "1234341221434321"}'
JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
PUZZLES = ("/v1/solve", "/v1/solve/batch", "/v1/tasks")


@pytest.fixture(scope="module")
def client(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        bundles=(bundle,),
        threads=1,
        body_limit_bytes=2_000_000,
        batch_bytes=2_000_000,
        batch_lines_limit=1000,
        batch_dir=tmp_path_factory.mktemp("batches"),
    )
    solver = load_solver(settings)
    with TestClient(create_app(solver, settings, Batches(solver, settings))) as served:
        yield served


@pytest.mark.parametrize("path", PUZZLES)
@pytest.mark.parametrize(
    "body",
    [
        DEEP * b"[" + DEEP * b"]",
        DEEP * b'{"a":' + b"1" + DEEP * b"}",
        b'{"kind": "sudoku", "grid": ' + DEEP * b"[" + DEEP * b"]}",
        b'{"kind": "sudoku", "grid": [[' + 5000 * b"9" + b"]]}",
    ],
    ids=["lists", "objects", "a grid", "a number"],
)
def test_json_too_deep_or_with_endless_numbers_is_no_json(
    client: TestClient, path: str, body: bytes
) -> None:
    answer = client.post(path, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("cell", ["NaN", "Infinity", "-Infinity", "1e999", "1.0", "-1", 30 * "9"])
def test_numbers_that_are_no_symbols_are_told_by_their_cell(client: TestClient, cell: str) -> None:
    grid = f"[[{cell},2,3,4],[3,4,1,2],[2,1,4,3],[4,3,2,1]]"
    body = f'{{"kind": "sudoku", "grid": {grid}}}'
    answer = client.post("/v1/solve", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_grid")
    assert answer.json()["errors"][0]["row"] == answer.json()["errors"][0]["column"] == 1


def test_of_a_key_that_is_there_twice_the_last_counts(client: TestClient) -> None:
    body = b'{"kind": "no such", ' + SOLVED[1:]
    assert client.post("/v1/solve", content=body, headers=JSON).status_code == 200


@pytest.mark.parametrize(
    "line", [DEEP * b"[", b'{"a":' * DEEP, b'{"custom_id": ' + DEEP * b"[", 5000 * b"9"]
)
def test_such_lines_of_a_batch_fail_alone(client: TestClient, line: bytes) -> None:
    uploaded = client.post("/v1/batches", content=line + b"\n" + SOLVED, headers=LINES)
    assert (uploaded.status_code, uploaded.json()["counts"]["total"]) == (202, 2)


def test_a_gzip_that_unpacks_to_hundreds_of_times_its_size_is_cut_off(client: TestClient) -> None:
    bomb = gzip.compress((9999 * b" " + b"\n") * 1_000)
    assert len(bomb) < 20_000
    headers = LINES | {"Content-Encoding": "gzip"}
    answer = client.post("/v1/batches", content=bomb, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_lines_are_counted_however_short_they_are(client: TestClient) -> None:
    answer = client.post("/v1/batches", content=1001 * b"\n" + SOLVED, headers=LINES)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_items")


@pytest.mark.parametrize("path", PUZZLES)
def test_other_endpoints_unpack_nothing(client: TestClient, path: str) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    answer = client.post(path, content=gzip.compress(SOLVED), headers=headers)
    assert answer.json()["code"] == "invalid_json"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("found", ["batches", "tasks"])
@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fetc", "%2e%2e", "batch_%00", "%2fetc%2fpasswd", "x%0d%0aSet-Cookie:a", 5000 * "a"],
)
def test_names_lead_nowhere_but_to_what_is_known(
    client: TestClient, method: str, found: str, name: str
) -> None:
    answer = client.request(method, f"/v1/{found}/{name}")
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers


def test_the_log_has_nothing_of_what_clients_send(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    forged = "x\n2026-01-01 ERROR server: forged"
    with caplog.at_level(logging.DEBUG, logger="server"):
        client.post("/v1/solve", json={"kind": forged, "grid": forged})
        client.post("/v1/batches", params={"name": forged}, content=SOLVED, headers=LINES)
        client.get("/v1/batches/" + forged.replace("\n", "%0a"))
    assert "forged" not in caplog.text


@pytest.mark.parametrize("name", ["../x.onnx", "/etc/passwd", "a/b.onnx", "", ".hidden"])
def test_a_manifest_names_files_of_its_own_directory_alone(bundle: Path, name: str) -> None:
    text = (bundle / "manifest.json").read_text()
    with pytest.raises(ValueError, match="String should match pattern"):
        Manifest.model_validate_json(text.replace("step-sudoku-4x4.onnx", name))


def test_a_graph_reads_no_file_outside_of_its_bundle(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.zeros(1024, np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../secret")
    (tmp_path / "secret").write_bytes(bytes(4096))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1024,)) for name in "xy")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [weights]
    )
    path = tmp_path / "bundle" / write_bundle(tmp_path / "bundle", [FOUR]).graphs[0].file
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    entry = Manifest.model_validate_json((path.parent / "manifest.json").read_text()).graphs[0]
    with pytest.raises(BundleError, match="escapes model directory"):
        OnnxEngine(path.parent, entry, device="cpu", threads=1)


def test_serving_loads_nothing_that_runs_code_from_files() -> None:
    served = [
        Path(module.__file__ or "")
        for name, module in sys.modules.items()
        if name.startswith("server")
    ]
    assert served
    for path in [*served, Path("kernel/weights.py"), Path("puzzles/known_tasks.py")]:
        source = path.read_text()
        assert "pickle" not in source.replace("allow_pickle=False", "")
        assert source.count("np.load(") == source.count("allow_pickle=False) as")
