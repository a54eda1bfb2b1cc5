"""Traces for OpenTelemetry: a span per request, and in it the waiting and the work of its puzzles.

Imported only if there is a collector to send them to: the package is the extra `trace`. What the
SDK lets one set (how many requests are traced, how spans are sent) is set as everywhere, by its own
OTEL_… variables.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.arrivals import on_result
from server.lane import Job, SolveResult
from server.request_context import current_request_id
from server.request_scope import path_of, route_of

TRACES = "/v1/traces"
LAST_SECONDS = 2.0
NS = 1_000_000_000
Fields = Mapping[str, str | int]


@final
class RequestSpans:
    """ASGI middleware, around RequestScope: the span of a request, within the caller's trace."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer, clock: Callable[[], float]) -> None:
        """clock: the solver's."""
        self._app = app
        self._tracer = tracer
        self._clock = clock
        self._caller = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        span = self._tracer.start_span(
            scope["method"], context=self._caller.extract(headers), kind=SpanKind.SERVER
        )
        recording = span.is_recording()
        on_result.set(SolveSpans(self._tracer, span, self._clock) if recording else None)
        status = 0

        async def send_watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        finally:
            _end(span, scope, status)


@final
class SolveSpans:
    """Records where the time of a puzzle went, once it has its result."""

    def __init__(self, tracer: Tracer, request: Span, clock: Callable[[], float]) -> None:
        self._tracer = tracer
        self._context = set_span_in_context(request)
        self._clock = clock

    def __call__(self, job: Job, result: SolveResult) -> None:
        """Two spans: `queue`, from arrival to a slot, and `compute`, from there to the answer."""
        arrived_ns = time.time_ns() - int(NS * (self._clock() - job.arrived_s))
        started_ns = arrived_ns + int(NS * result.queue_s)
        puzzle: Fields = {"ponder.puzzle": result.puzzle, "ponder.model": result.model}
        self._span("queue", arrived_ns, started_ns, puzzle)
        spent: Fields = {
            "ponder.steps": result.spent.steps,
            "ponder.attempts": result.spent.attempts,
            "ponder.status": result.finish.status.value,
            "ponder.stopped_by": result.finish.stopped_by.value,
        }
        ended_ns = started_ns + int(NS * result.compute_s)
        self._span("compute", started_ns, ended_ns, {**puzzle, **spent})

    def _span(self, name: str, begin_ns: int, end_ns: int, attributes: Fields) -> None:
        span = self._tracer.start_span(
            name, context=self._context, start_time=begin_ns, attributes=attributes
        )
        span.end(end_ns)


@contextmanager
def exporting(endpoint: str) -> Iterator[Tracer]:
    """A tracer whose spans go to a collector, in batches, on a thread of its own.

    At the end it sends what is left, unless that takes longer than LAST_SECONDS.
    endpoint: where the collector listens for OTLP over HTTP, with or without the path for traces.
    """
    url = endpoint.rstrip("/")
    named = Resource.create({SERVICE_NAME: "ponder", SERVICE_VERSION: version("ponder")})
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
    exporter = OTLPSpanExporter(endpoint=url if url.endswith(TRACES) else url + TRACES)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider.get_tracer("ponder")
    finally:
        too_long = threading.Timer(LAST_SECONDS, exporter.shutdown)
        too_long.start()
        provider.shutdown()
        too_long.cancel()


def _end(span: Span, scope: Scope, status: int) -> None:
    """Say what became of a request. status: 0 if the client left before there was any."""
    if span.is_recording():
        route = route_of(scope)
        span.set_attribute("http.request.method", scope["method"])
        span.set_attribute("url.path", path_of(scope) if route is None else scope["path"])
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("ponder.request_id", current_request_id() or "")
        if route is not None:
            span.update_name(f"{scope['method']} {route}")
            span.set_attribute("http.route", route)
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
            span.set_attribute("error.type", str(status))
    span.end()
