"""How streams end, and what they hold meanwhile: with an engine that waits for the test."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from server.arrivals import Arrivals
from server.engine_routes import engine
from server.lane import Job
from server.policy import Budget
from server.schemas import SolveAnswer
from server.step_events import PuzzleEvents
from server.step_feed import MOST_WAITING, StepFeed
from server.streaming import EventStream
from tests.server.events import Event, read_events, replayed, steps_of
from tests.server.test_load import HOPELESS, SOLVABLE, TIMEOUT_S, Exchange, Served, run, tokens
from tests.server.tiny_bundle import FOUR

EVENTS = (b"accept", b"text/event-stream")


def watching(made: Served, request: object) -> Exchange:
    return Exchange(made.app, "/v1/solve", request, EVENTS)


async def head_of(exchange: Exchange) -> int:
    """The status of an answer that has begun."""
    return int((await exchange.next_message())["status"])


async def next_event(exchange: Exchange) -> Event:
    [event] = read_events((await exchange.next_message())["body"].decode())
    return event


async def rest_of(exchange: Exchange) -> list[Event]:
    """What comes until the stream ends."""
    parts = []
    while (message := await exchange.next_message())["more_body"]:
        parts.append(message["body"])
    return read_events(b"".join(parts).decode())


def outcomes(made: Served) -> list[str]:
    """What requests came to; all else stands at 0."""
    lines = made.metrics.page().decode().splitlines()
    counts = [line for line in lines if line.startswith("ponder_requests_total")]
    return [line for line in counts if not line.endswith(" 0.0")]


def test_a_step_is_told_while_the_next_one_runs() -> None:
    async def scenario(made: Served) -> None:
        exchange = watching(made, HOPELESS)
        await made.rows_of_next_step()
        assert await head_of(exchange) == 200
        assert (await next_event(exchange))[0] == "start"
        made.engine.let_go()
        await made.rows_of_next_step()
        name, step = await next_event(exchange)
        assert (name, step["step"], step["verdict"]) == ("step", 1, "wrong")
        assert replayed(HOPELESS["grid"], step, None) == step["grid"]
        exchange.hang_up()
        await exchange.end()

    run(scenario)


def test_a_reader_that_hangs_up_frees_its_slot_at_the_next_step() -> None:
    async def scenario(made: Served) -> None:
        leaving = watching(made, HOPELESS)
        await made.rows_of_next_step()
        staying = watching(made, SOLVABLE)
        await made.until(lambda: made.lane.scheduler.waiting == 1)
        leaving.hang_up()
        await leaving.end()
        made.engine.let_go()
        assert await made.rows_of_next_step() == tokens(SOLVABLE)
        made.engine.open()
        await staying.end()
        assert set(outcomes(made)) == {
            'ponder_requests_total{outcome="client_gone"} 1.0',
            'ponder_requests_total{outcome="answered"} 1.0',
        }

    run(scenario)


def test_a_failed_step_ends_the_stream_with_its_problem() -> None:
    async def scenario(made: Served) -> None:
        made.engine.breaks = True
        exchange = watching(made, SOLVABLE)
        await made.rows_of_next_step()
        assert await head_of(exchange) == 200
        made.engine.let_go()
        (start, _), (name, problem) = await rest_of(exchange)
        assert (start, name) == ("start", "problem")
        assert (problem["status"], problem["code"]) == (500, "engine_failed")
        assert outcomes(made) == ['ponder_requests_total{outcome="engine_failed"} 1.0']

    run(scenario)


def test_a_server_that_stops_ends_the_stream_with_a_problem() -> None:
    async def scenario(made: Served) -> None:
        exchange = watching(made, HOPELESS)
        await made.rows_of_next_step()
        stopping = asyncio.create_task(asyncio.to_thread(made.solver.__exit__, None, None, None))
        await made.until(lambda: made.solver.state == "draining")
        made.engine.open()
        await stopping
        await head_of(exchange)
        name, problem = (await rest_of(exchange))[-1]
        assert (name, problem["status"], problem["code"]) == ("problem", 503, "stopped")

    run(scenario)


def test_a_draining_server_tells_a_stream_to_its_end_and_begins_none() -> None:
    async def scenario(made: Served) -> None:
        exchange = watching(made, HOPELESS)
        await made.rows_of_next_step()
        made.solver.drain(0.0)
        status, _, refused = await watching(made, SOLVABLE).answer()
        assert (status, refused["code"]) == (503, "draining")
        made.engine.open()
        await head_of(exchange)
        name, result = (await rest_of(exchange))[-1]
        assert (name, result["stopped_by"]) == ("result", "deadline")

    run(scenario)


def test_a_full_queue_is_told_by_the_status() -> None:
    async def scenario(made: Served) -> None:
        working = made.stream(SOLVABLE, SOLVABLE)
        await made.rows_of_next_step()
        waiting = [watching(made, SOLVABLE) for _ in range(2)]
        await made.until(lambda: made.lane.scheduler.waiting == 2)
        status, headers, problem = await watching(made, SOLVABLE).answer()
        assert (status, problem["code"]) == (429, "overloaded")
        assert int(headers["retry-after"]) >= 1
        made.engine.open()
        for exchange in (working, *waiting):
            await exchange.end()

    run(scenario)


def test_an_engine_that_is_down_is_told_by_the_status() -> None:
    async def scenario(made: Served) -> None:
        made.engine.breaks = made.engine.is_open = True
        down = False
        while not down:
            down = (await made.solve(SOLVABLE).answer())[0] == 503
        status, headers, problem = await watching(made, SOLVABLE).answer()
        assert (status, problem["code"]) == (503, "engine_down")
        assert int(headers["retry-after"]) > 0

    run(scenario)


class SlowReader:
    """Takes the head of a stream and nothing more, until it is told to go on."""

    def __init__(self, stream: EventStream) -> None:
        self._goes_on = asyncio.Event()
        self._parts: list[bytes] = []
        self._task = asyncio.ensure_future(stream({}, self._never, self._send))

    async def _never(self) -> Message:
        return await asyncio.Future()

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            await self._goes_on.wait()
            self._parts.append(message["body"])

    async def read_on(self) -> list[Event]:
        self._goes_on.set()
        await asyncio.wait_for(self._task, TIMEOUT_S)
        return read_events(b"".join(self._parts).decode())


class Watched:
    """A job with a stream, past HTTP."""

    def __init__(self, made: Served, max_steps: int, keep_alive_s: float = TIMEOUT_S) -> None:
        question = FOUR.parse(HOPELESS["grid"])
        self.job = Job(made.lane, question, Budget(max_steps, 1), made.solver.clock())
        self.stream = EventStream(
            PuzzleEvents(self.job),
            StepFeed([self.job]),
            Arrivals({0: self.job}),
            self._answer,
            made.metrics,
            keep_alive_s=keep_alive_s,
        )
        made.solver.submit([self.job])

    async def _answer(self) -> Any:
        return SolveAnswer.of(await asyncio.wrap_future(self.job.future))


def test_a_slow_reader_holds_up_nobody_and_misses_the_oldest_steps() -> None:
    async def scenario(made: Served) -> None:
        made.engine.open()
        steps_taken = 2 * MOST_WAITING
        watched = Watched(made, max_steps=steps_taken)
        reader = SlowReader(watched.stream)
        await made.until(watched.job.future.done)
        events = await reader.read_on()
        steps = steps_of(events)
        assert (events[0][0], events[-1][0]) == ("start", "result")
        newest = range(steps_taken - MOST_WAITING + 1, steps_taken + 1)
        assert [one["step"] for one in steps][-MOST_WAITING:] == list(newest)
        assert len(steps) <= MOST_WAITING + 1
        before = None
        for step in steps:  # the difference is to what the reader has, whatever was left out
            assert replayed(events[0][1]["question"], step, before) == step["grid"]
            before = step["grid"]

    run(scenario)


def test_silence_is_broken_by_comments() -> None:
    async def scenario(made: Served) -> None:
        watched = Watched(made, max_steps=1, keep_alive_s=0.001)
        sent: asyncio.Queue[Message] = asyncio.Queue()
        task = asyncio.ensure_future(watched.stream({}, asyncio.Future, sent.put))
        bodies = [(await asyncio.wait_for(sent.get(), TIMEOUT_S)).get("body") for _ in range(4)]
        assert bodies[2:] == [b": keep-alive\n\n"] * 2
        made.engine.open()
        await asyncio.wait_for(task, TIMEOUT_S)

    run(scenario)


def test_a_stream_that_is_cut_off_says_so() -> None:
    async def scenario(made: Served) -> None:
        watched = Watched(made, max_steps=1)
        sent: asyncio.Queue[Message] = asyncio.Queue()
        task = asyncio.ensure_future(watched.stream({}, asyncio.Future, sent.put))
        await made.rows_of_next_step()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, TIMEOUT_S)
        *_, last = [sent.get_nowait() for _ in range(sent.qsize())]
        [(name, problem)] = read_events(last["body"].decode())
        assert (name, problem["code"]) == ("problem", "stopped")
        assert watched.job.future.cancelled()

    run(scenario)


def test_the_engine_tells_what_waits_and_what_works() -> None:
    async def scenario(made: Served) -> None:
        exchange = made.stream(SOLVABLE, SOLVABLE)
        await made.rows_of_next_step()
        waiting = watching(made, SOLVABLE)
        await made.until(lambda: made.lane.scheduler.waiting == 1)
        [lane] = (await engine(made.solver)).lanes
        assert (lane.slots, lane.working, lane.waiting, lane.steps_total) == (2, 2, 1, 0)
        made.engine.open()
        await exchange.end()
        await waiting.end()
        [lane] = (await engine(made.solver)).lanes
        assert (lane.working, lane.waiting, lane.solved_total) == (0, 0, 3)
        assert (lane.steps_total, lane.rows_total) == (2, 3)

    run(scenario)
