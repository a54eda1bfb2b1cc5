"""Random requests, valid and invalid, against the API's own OpenAPI document, in this process."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from bench.reliability.claims import Findings, at_least, exactly
from server.app import create_app
from server.loading import load_solver
from server.settings import Settings

SOLUTION = "1234341221434321"
# A document cannot say which lines of characters are puzzles: what fits its schema may be refused.
# And a batch is answered with 200 where single items of it are wrong: each gets its own problem.
EXCLUDED: dict[str, list[Callable[..., Any]]] = {
    "/v1/solve": [positive_data_acceptance],
    "/v1/solve/batch": [positive_data_acceptance, negative_data_rejection],
    "/v1/tasks": [positive_data_acceptance],  # nor which rows make a grid
}


def try_api(bundle: Path, *, cases: int) -> Findings:
    """At least so many requests; stops at the first answer that the document does not foresee."""
    limits = Settings(
        bundles=(bundle,), max_steps=2, attempts=1, max_steps_limit=4, attempts_limit=2, slots=8
    )
    statuses: Counter[int] = Counter()
    unexpected = "nothing"
    try:
        check_document(create_app(load_solver(limits), limits), cases, statuses)
    except Exception as error:  # the first line of it is the verdict, whatever it is
        unexpected = f"{type(error).__name__}: {error}"
    return Findings(
        claims=[
            at_least("requests sent", statuses.total(), cases),
            exactly("unexpected", unexpected, "nothing"),
        ],
        facts={f"answers {status}": count for status, count in sorted(statuses.items())},
    )


def check_document(app: FastAPI, cases: int, statuses: Counter[int]) -> None:
    """Send `cases` requests or some more, and count their answers.

    Raises: schemathesis.errors, or what hypothesis makes of several of them.
    """
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [
        document[path][method.upper()]
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    ]
    posts = [operation for operation in operations if operation.definition.raw.get("requestBody")]
    share = -(-cases // (3 * len(posts)))
    for operation in operations:
        if operation in posts:
            _check(operation, GenerationMode.POSITIVE, share, statuses, st.none())
            _check(operation, GenerationMode.NEGATIVE, share, statuses, st.none())
            near = _puzzles() if operation.path == "/v1/solve" else _batches()
            _check(operation, GenerationMode.POSITIVE, share, statuses, near)
        else:
            _check(operation, GenerationMode.POSITIVE, 1, statuses, st.none())


def _check(
    operation: Any,
    mode: GenerationMode,
    examples: int,
    statuses: Counter[int],
    bodies: st.SearchStrategy[Any],
) -> None:
    """Bodies as the document has them, or in their place those that are drawn from `bodies`."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), body=bodies)
    def check(case: Any, body: Any) -> None:
        if body is not None:
            case.body = body
        response = case.call()
        statuses[response.status_code] += 1
        case.validate_response(response, excluded_checks=EXCLUDED.get(operation.path))

    check()


def _puzzles() -> st.SearchStrategy[dict[str, Any]]:
    """Almost puzzles: a solution with holes, and some cells wrong."""
    cells = st.lists(
        st.sampled_from(["given", "given", "empty", "empty", "1", "4"]), min_size=16, max_size=16
    )
    lines = cells.map(
        lambda kinds: "".join(
            {"given": cell, "empty": "."}.get(kind, kind)
            for kind, cell in zip(kinds, SOLUTION, strict=True)
        )
    )
    holes = st.sets(st.integers(0, 15)).map(
        lambda empty: "".join("." if i in empty else c for i, c in enumerate(SOLUTION))
    )
    rows = st.lists(st.lists(st.integers(-1, 5), min_size=4, max_size=4), min_size=4, max_size=4)
    return st.fixed_dictionaries(
        {"kind": st.just("sudoku"), "grid": st.one_of(lines, holes, rows)},
        optional={
            "effort": st.sampled_from(["low", "standard", "max", "most"]),
            "max_steps": st.integers(0, 6),
            "attempts": st.integers(0, 4),
            "deadline_ms": st.integers(-1, 100),
        },
    )


def _batches() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"items": st.lists(_puzzles(), max_size=5)})
