"""Traces: what a collector gets of a request, and what a server does without one."""

import gzip
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import final

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from starlette.testclient import TestClient

from server.app import create_app
from server.loading import load_solver
from server.settings import Settings
from server.tracing import RequestSpans
from tests.server.test_process import TIMEOUT_S, failed_start, question, serving
from tests.server.tiny_bundle import HARD

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


@contextmanager
def traced_client(bundle: Path, provider: TracerProvider) -> Iterator[TestClient]:
    settings = Settings(bundles=(bundle,), threads=1, parallel_attempts=1)
    solver = load_solver(settings)
    app = create_app(solver, settings)
    app.add_middleware(RequestSpans, tracer=provider.get_tracer("ponder"), clock=solver.clock)

    @app.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError

    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture(scope="module")
def served(bundle: Path, exporter: InMemorySpanExporter) -> Iterator[TestClient]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with traced_client(bundle, provider) as client:
        yield client


@pytest.fixture
def client(served: TestClient, exporter: InMemorySpanExporter) -> TestClient:
    exporter.clear()
    return served


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def attributes(span: ReadableSpan) -> Mapping[str, object]:
    assert span.attributes is not None
    return span.attributes


def test_a_solved_puzzle_is_a_request_with_its_waiting_and_its_work(
    client: TestClient, exporter: InMemorySpanExporter
) -> None:
    body = {"kind": "sudoku", "grid": question(HARD + 1), "max_steps": 16}
    answer = client.post("/v1/solve", json=body, headers={"X-Request-ID": "seen"}).json()
    [request] = named(exporter, "POST /v1/solve")
    [queue], [compute] = named(exporter, "queue"), named(exporter, "compute")
    assert request.kind is SpanKind.SERVER
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/v1/solve",
        "url.path": "/v1/solve",
        "http.response.status_code": 200,
        "ponder.request_id": "seen",
    }
    assert attributes(compute) == {
        "ponder.puzzle": "sudoku-4x4",
        "ponder.model": "tiny",
        "ponder.steps": answer["steps"],
        "ponder.attempts": 2,
        "ponder.status": "solved",
        "ponder.stopped_by": "verified",
    }
    for span in (queue, compute):
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
    assert request.start_time is not None
    assert compute.end_time is not None
    assert request.start_time < (queue.end_time or 0) == compute.start_time < compute.end_time
    worked_ms = (compute.end_time - (compute.start_time or 0)) / 1e6
    assert worked_ms == pytest.approx(answer["timing"]["compute_ms"], abs=0.001)


def test_a_request_goes_on_in_its_callers_trace(
    client: TestClient, exporter: InMemorySpanExporter
) -> None:
    client.get("/v1/models", headers=CALLER)
    [request] = named(exporter, "GET /v1/models")
    assert request.parent is not None
    assert format(request.context.trace_id, "032x") == TRACE
    assert format(request.parent.span_id, "016x") == PARENT


def test_every_item_of_a_batch_has_its_spans(
    client: TestClient, exporter: InMemorySpanExporter
) -> None:
    items = [{"kind": "sudoku", "grid": question(empty)} for empty in (1, 2, 3)]
    client.post("/v1/solve/batch", json={"items": [*items, {"kind": "sudoku", "grid": "bad"}]})
    assert sorted(attributes(span)["ponder.steps"] for span in named(exporter, "compute")) == [
        *(1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("path", "name", "status", "code"),
    [
        ("/nowhere", "GET", 404, StatusCode.UNSET),
        ("/bug", "GET /bug", 500, StatusCode.ERROR),
    ],
)
def test_what_fails_has_its_status(
    path: str,
    name: str,
    status: int,
    code: StatusCode,
    client: TestClient,
    exporter: InMemorySpanExporter,
) -> None:
    client.get(path)
    [request] = named(exporter, name)
    assert attributes(request)["http.response.status_code"] == status
    assert request.status.status_code is code


def test_requests_that_are_not_sampled_are_answered_like_others(bundle: Path) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_OFF)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with traced_client(bundle, provider) as client:
        answer = client.post("/v1/solve", json={"kind": "sudoku", "grid": question(1)})
    assert answer.json()["status"] == "solved"
    assert exporter.get_finished_spans() == ()


@final
class Collector(HTTPServer):
    """Takes OTLP over HTTP and keeps the names of spans, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[str]:
        return [
            span.name
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def services(self) -> set[str]:
        return {
            attribute.value.string_value
            for request in self.requests
            for resource in request.resource_spans
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
        }


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.paths.add(self.path)
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_a_server_sends_all_its_spans_before_it_ends(bundle: Path, collector: Collector) -> None:
    flags = ("--bundles", str(bundle), "--otlp-endpoint", collector.url)
    with serving(*flags) as (process, url):
        for empty in (1, 2, 3):
            body = {"kind": "sudoku", "grid": question(empty)}
            assert httpx2.post(f"{url}/v1/solve", json=body, timeout=TIMEOUT_S).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0
    assert sorted(collector.spans()) == ["POST /v1/solve"] * 3 + ["compute"] * 3 + ["queue"] * 3
    assert collector.paths == {"/v1/traces"}
    assert collector.services() == {"ponder"}


def test_a_collector_that_is_not_there_holds_nobody_up(bundle: Path) -> None:
    flags = ("--bundles", str(bundle), "--otlp-endpoint", "http://127.0.0.1:9")
    with serving(*flags) as (process, url):
        body = {"kind": "sudoku", "grid": question(1)}
        assert httpx2.post(f"{url}/v1/solve", json=body, timeout=TIMEOUT_S).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0


def test_an_endpoint_that_is_no_address_is_one_line() -> None:
    assert "otlp_endpoint" in failed_start("--otlp-endpoint", "collector:4318")


def test_traces_without_their_packages_are_one_line_that_says_what_to_install(
    bundle: Path,
) -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None; from server.__main__ import main;"
        f"sys.exit(main(['--bundles', {str(bundle)!r}, '--port', '0', '--threads', '1',"
        "'--log-level', 'error', '--otlp-endpoint', 'http://127.0.0.1:9']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'ponder[trace]'" in done.stderr
    assert done.stderr.count("\n") == 1
