"""The server does what its OpenAPI document says, whatever is sent to it.

`python -m bench.reliability api` sends 10,000 requests.
"""

from collections import Counter
from pathlib import Path

import pytest

from bench.reliability.api_cases import check_document
from server.app import create_app
from server.errors import BY_ERROR
from server.loading import load_solver
from server.settings import Settings


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # schemathesis's own
def test_random_requests_get_only_answers_that_the_document_foresees(bundle: Path) -> None:
    settings = Settings(bundles=(bundle,), threads=1, max_steps_limit=64, max_steps=4, attempts=2)
    statuses: Counter[int] = Counter()
    check_document(create_app(load_solver(settings), settings), 150, statuses)
    assert statuses.total() >= 150
    assert {200, 422} <= statuses.keys()
    assert not [status for status in statuses if status >= 500]


def test_every_status_of_a_problem_is_in_the_document(bundle: Path) -> None:
    settings = Settings(bundles=(bundle,), threads=1)
    document = create_app(load_solver(settings), settings).openapi()
    for path in ("/v1/solve", "/v1/solve/batch"):
        told = document["paths"][path]["post"]["responses"]
        for problem in BY_ERROR.values():
            answer = told[str(problem.status.value)]
            assert problem.code in answer["description"]
            assert list(answer["content"]) == ["application/problem+json"]
