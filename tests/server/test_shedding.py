"""What a full queue refuses before the endpoint is reached, and what it leaves alone."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.server.test_load import Exchange, Served, run, tokens
from tests.server.tiny_bundle import FOUR, four_solutions, with_empty

SOLVABLE: dict[str, Any] = {
    "kind": "sudoku",
    "grid": FOUR.format(with_empty(four_solutions()[0], 4)),
}


def while_full(scenario: Callable[[Served], Awaitable[None]]) -> None:
    """Run a scenario while both slots and both places in the queue are taken."""

    async def whole(made: Served) -> None:
        taken = [made.stream(SOLVABLE, SOLVABLE)]
        await made.rows_of_next_step()
        taken += [made.solve(SOLVABLE) for _ in range(2)]
        await made.until(lambda: made.lane.scheduler.waiting == 2)
        await scenario(made)
        made.engine.open()
        for exchange in taken:
            await exchange.end()

    run(whole)


def test_a_refusal_reads_no_puzzle_and_makes_no_job() -> None:
    async def scenario(made: Served) -> None:
        contradictory = SOLVABLE | {"grid": "11" + 14 * "."}
        status, headers, problem = await made.solve(contradictory).answer()
        assert (status, problem["code"]) == (429, "overloaded")
        assert int(headers["retry-after"]) >= 1
        assert 'ponder_requests_total{outcome="overloaded"} 1.0' in made.metrics.page().decode()

    while_full(scenario)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"kind": "sudoku"}, 422),
        ({"kind": "chess", "grid": 16 * "."}, 422),
        ({"kind": "sudoku", "grid": 36 * "."}, 422),  # no bundle
        ([], 422),
    ],
)
def test_what_is_wrong_with_a_request_is_said_even_then(request_: object, status: int) -> None:
    async def scenario(made: Served) -> None:
        assert (await made.solve(request_).answer())[0] == status

    while_full(scenario)


def test_a_batch_is_refused_by_its_endpoint() -> None:
    async def scenario(made: Served) -> None:
        batch = Exchange(made.app, "/v1/solve/batch", {"items": [SOLVABLE]})
        status, _, problem = await batch.answer()
        assert (status, problem["code"]) == (429, "overloaded")

    while_full(scenario)


def test_a_puzzle_gets_in_as_soon_as_there_is_room() -> None:
    async def scenario(made: Served) -> None:
        assert (await made.solve(SOLVABLE).answer())[0] == 429
        made.engine.let_go()
        assert await made.rows_of_next_step() == 2 * tokens(SOLVABLE)
        accepted = made.solve(SOLVABLE)
        await made.until(lambda: made.lane.scheduler.waiting == 1)
        made.engine.open()
        assert (await accepted.answer())[0] == 200

    while_full(scenario)
