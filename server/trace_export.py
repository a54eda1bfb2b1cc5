"""Whether a server is traced, decided before anything of OpenTelemetry is imported."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from server.settings import Settings
from server.solver import Solver


class TracingUnavailableError(Exception):
    """Traces are wanted, and the packages for them are not there."""


@contextmanager
def traced(app: FastAPI, solver: Solver, settings: Settings) -> Iterator[None]:
    """Trace the requests of an application that has not begun; at the end send what is left.

    Raises: TracingUnavailableError.
    """
    if settings.otlp_endpoint is None:
        yield
        return
    try:
        from server.tracing import RequestSpans, exporting
    except ImportError as error:
        raise TracingUnavailableError(
            f"otlp_endpoint needs the extra trace: pip install 'ponder[trace]' ({error})"
        ) from error
    with exporting(str(settings.otlp_endpoint)) as tracer:
        app.add_middleware(RequestSpans, tracer=tracer, clock=solver.clock)
        yield
