"""Overload, failures and clients that leave, with an engine that stands still when told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import Message

from puzzles.restarts import Restart
from server.app import create_app
from server.effort import BudgetRules
from server.lane import Lane
from server.metrics import Metrics
from server.scheduler import Scheduler
from server.settings import Settings
from server.solver import Solver
from tests.server.gated import GatedEngine
from tests.server.lanes import loaded
from tests.server.tiny_bundle import FOUR, four_solutions, with_empty

SOLVABLE = {"kind": "sudoku", "grid": with_empty(four_solutions()[0], 4).tolist()}
HOPELESS = {"kind": "sudoku", "grid": with_empty(four_solutions()[100], 4).tolist()}
NDJSON = (b"accept", b"application/x-ndjson")
TIMEOUT_S = 10.0


class Exchange:
    """One HTTP request to an application, by hand: it can be hung up in the middle."""

    def __init__(self, app: FastAPI, path: str, body: object, *headers: tuple[bytes, bytes]):
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._to_app.put_nowait({"type": "http.request", "body": json.dumps(body).encode()})
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), *headers],
            "client": ("test", 1),
            "server": ("test", 80),
        }
        self._task = asyncio.ensure_future(app(scope, self._to_app.get, self._sent.put))

    def hang_up(self) -> None:
        self._to_app.put_nowait({"type": "http.disconnect"})

    async def end(self) -> None:
        await asyncio.wait_for(self._task, TIMEOUT_S)

    async def next_message(self) -> Message:
        return await asyncio.wait_for(self._sent.get(), TIMEOUT_S)

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        await self.end()
        start, *rest = [self._sent.get_nowait() for _ in range(self._sent.qsize())]
        headers = {key.decode(): value.decode() for key, value in start["headers"]}
        return start["status"], headers, json.loads(b"".join(part["body"] for part in rest))


class Served:
    """An application with one gated lane of two slots and a queue of two."""

    def __init__(self) -> None:
        self.engine = GatedEngine(16, FOUR.encode(four_solutions()[0]))
        self.metrics = Metrics("0")
        self.lane = Lane(
            model="gated",
            puzzle=FOUR,
            restart=Restart(by="noise", noise_scale=1.0),
            engine=self.engine,
            scheduler=Scheduler(slots=2, queue_limit=2),
        )
        rules = BudgetRules(1000, 1, max_steps_limit=1000, attempts_limit=1)
        self.solver = Solver(loaded(self.lane), rules, self.metrics)
        self.app = create_app(self.solver, Settings())

    def solve(self, request: object) -> Exchange:
        return Exchange(self.app, "/v1/solve", request)

    def stream(self, *items: object) -> Exchange:
        return Exchange(self.app, "/v1/solve/batch", {"items": items}, NDJSON)

    async def rows_of_next_step(self) -> list[list[int]]:
        inputs = await asyncio.to_thread(self.engine.wait_for_step)
        return inputs.tokens.tolist()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():
                await asyncio.sleep(0)


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    made = Served()
    with made.solver:
        try:
            yield made
        finally:
            made.engine.open()


def run(scenario: Callable[[Served], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with served() as made:
            await scenario(made)

    asyncio.run(whole())


def tokens(*requests: dict[str, Any]) -> list[list[int]]:
    return [FOUR.encode(FOUR.parse(request["grid"])).tolist() for request in requests]


def test_a_client_that_hangs_up_frees_its_slot_at_the_next_step() -> None:
    async def scenario(made: Served) -> None:
        leaving = made.solve(HOPELESS)
        await made.rows_of_next_step()
        staying = made.solve(SOLVABLE)
        leaving.hang_up()
        await leaving.end()
        await made.until(lambda: made.lane.scheduler.waiting == 1)
        made.engine.let_go()
        assert await made.rows_of_next_step() == tokens(SOLVABLE)
        made.engine.open()
        assert (await staying.answer())[0] == 200
        assert 'ponder_requests_total{outcome="client_gone"} 1.0' in made.metrics.page().decode()

    run(scenario)


def test_a_stream_whose_client_hangs_up_frees_all_its_slots() -> None:
    async def scenario(made: Served) -> None:
        stream = made.stream(HOPELESS, HOPELESS)
        await made.rows_of_next_step()
        stream.hang_up()
        await stream.end()
        await made.until(lambda: made.lane.scheduler.idle)
        assert 'ponder_requests_total{outcome="client_gone"} 1.0' in made.metrics.page().decode()

    run(scenario)


def test_a_stream_sends_a_result_while_other_rows_still_work() -> None:
    async def scenario(made: Served) -> None:
        stream = made.stream(HOPELESS, SOLVABLE)
        await made.rows_of_next_step()
        made.engine.let_go()
        await made.rows_of_next_step()
        assert (await stream.next_message())["type"] == "http.response.start"
        line = json.loads((await stream.next_message())["body"])
        assert (line["index"], line["result"]["status"]) == (1, "solved")
        assert made.lane.scheduler.working == 1

    run(scenario)


def test_a_full_queue_answers_429_and_when_to_come_back() -> None:
    async def scenario(made: Served) -> None:
        working = made.stream(SOLVABLE, SOLVABLE)
        await made.rows_of_next_step()
        waiting = [made.solve(SOLVABLE) for _ in range(2)]
        await made.until(lambda: made.lane.scheduler.waiting == 2)
        status, headers, problem = await made.solve(SOLVABLE).answer()
        made.engine.open()
        await working.end()
        assert [(await exchange.answer())[0] for exchange in waiting] == [200, 200]
        assert (status, problem["code"]) == (429, "overloaded")
        assert int(headers["retry-after"]) >= 1

    run(scenario)


def test_a_failed_step_answers_500_to_its_puzzles_and_the_server_goes_on() -> None:
    async def scenario(made: Served) -> None:
        made.engine.breaks = True
        failing = made.solve(SOLVABLE)
        await made.rows_of_next_step()
        made.engine.let_go()
        status, _, problem = await failing.answer()
        assert (status, problem["code"]) == (500, "engine_failed")
        assert "device" not in json.dumps(problem)  # what failed inside is for the log
        made.engine.breaks = False
        made.engine.open()
        assert (await made.solve(SOLVABLE).answer())[0] == 200

    run(scenario)


def test_closing_the_solver_answers_who_still_waits() -> None:
    async def scenario(made: Served) -> None:
        waiting = made.solve(HOPELESS)
        await made.rows_of_next_step()
        made.engine.open()
        await asyncio.to_thread(made.solver.__exit__, None, None, None)
        status, _, problem = await waiting.answer()
        assert (status, problem["code"]) == (503, "stopped")

    run(scenario)
