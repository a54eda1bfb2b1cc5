"""`AsyncPonder`: what `Ponder` is, for programs with an event loop. The same words, awaited."""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Self, Unpack, final

import httpx2

from client import flows, requests, results, solving
from client.async_io import AsyncIo
from client.batch_schemas import Batch, BatchLine, BatchPage
from client.encoding import AskedGrid, AskedPuzzle, Pair, SolveOptions
from client.flows import Polling, Setting
from client.requests import BatchSource, RegisterOptions, SubmitOptions, TaskOptions
from client.results import Downloaded, Following
from client.retrying import RETRIES, Retries
from client.schemas import Arrival, EngineNow, Health, ModelList, Solved, Started, Step
from client.task_schemas import Task, TaskAnswer, TaskList
from client.wire import TIME_LIMITS, TimeLimits, http_options, utc_now


@final
class AsyncPonder:
    """A server, for one event loop; it keeps connections open until it is closed.

    base_url, api_key: else of the environment, PONDER_URL and PONDER_API_KEY. Every method may
    raise `PonderError`: ProblemError where the server refuses, ConnectionFailedError,
    TimedOutError, MalformedResponseError, InvalidInputError.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        retries: Retries = RETRIES,
        limits: TimeLimits = TIME_LIMITS,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Raises: InvalidInputError for a URL or a key that is none."""
        self._http = httpx2.AsyncClient(
            **http_options(base_url, api_key, limits), transport=transport
        )
        self._io = AsyncIo(self._http, limits, sleep)
        self._setting = Setting(retries, limits.read_s, clock, now, jitter)
        self.tasks = AsyncTasks(self._io, self._setting)
        self.batches = AsyncBatches(self._io, self._setting)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def solve(self, grid: AskedGrid, **options: Unpack[SolveOptions]) -> Solved:
        """Solve one puzzle."""
        return await self._io.run(solving.solve(grid, options, self._setting))

    def watch(
        self, grid: AskedGrid, **options: Unpack[SolveOptions]
    ) -> AsyncGenerator[Started | Step | Solved]:
        """Solve one puzzle and see every supervision step as it is taken; the result comes last."""
        return self._io.iterate(solving.watch(grid, options, self._setting))

    def solve_many(
        self,
        puzzles: Iterable[AskedPuzzle],
        *,
        at_once: int = 4,
        per_request: int = solving.MOST_PER_REQUEST,
        **options: Unpack[SolveOptions],
    ) -> AsyncGenerator[Arrival]:
        """Solve many, each a grid or a request of its own: (index, outcome) as they come.

        One that is wrong has a `Problem` as its outcome. `puzzles` is read as far as it is needed:
        `at_once` requests of `per_request` puzzles are under way.
        """
        parts = solving.parts(
            puzzles, options, per_request=per_request, at_once=at_once, setting=self._setting
        )
        return self._io.merged(parts, at_once)

    async def solve_task(
        self,
        test: Iterable[AskedGrid],
        *,
        task: str | None = None,
        train: Iterable[Pair] | None = None,
        **options: Unpack[TaskOptions],
    ) -> TaskAnswer:
        """Answer questions of an ARC task that is known, by its id or by its demonstrations."""
        call = requests.solve_task_call(test, task, train, options)
        return await self._io.run(flows.answer(TaskAnswer, call, self._setting))

    async def models(self) -> ModelList:
        """The loaded bundles, and which of them answers what."""
        return await self._io.run(flows.answer(ModelList, requests.MODELS, self._setting))

    async def engine(self) -> EngineNow:
        """What every lane is doing; cheap enough to be asked several times a second."""
        return await self._io.run(flows.answer(EngineNow, requests.ENGINE, self._setting))

    async def ready(self) -> Health:
        """Whether the server takes puzzles now; asked once only."""
        return await self._io.run(flows.health(self._setting))


@final
class AsyncTasks:
    """ARC tasks: those of bundles, and those that the server learns from demonstrations."""

    def __init__(self, io: AsyncIo, setting: Setting) -> None:
        self._io = io
        self._setting = setting

    async def register(self, train: Iterable[Pair], **options: Unpack[RegisterOptions]) -> Task:
        """Make a task known; unless it is `ready` at once, it will be learnt."""
        call = requests.register_call(train, options)
        return await self._io.run(flows.answer(Task, call, self._setting))

    async def get(self, task_id: str) -> Task:
        """A task, and how far it is."""
        return await self._io.run(flows.answer(Task, requests.task_call(task_id), self._setting))

    async def wait(
        self,
        task_id: str,
        *,
        progress: Callable[[Task], None] | None = None,
        timeout_s: float | None = None,
        every_s: float = 1.0,
    ) -> Task:
        """A task once it is ready or has failed; `progress` hears of changes. May time out."""
        polling = Polling(every_s, timeout_s, progress)
        call = requests.task_call(task_id)
        return await self._io.run(flows.polled(Task, call, polling, self._setting))

    async def delete(self, task_id: str) -> None:
        """Stop learning a task and forget it."""
        await self._io.run(flows.removed(requests.task_call(task_id, "DELETE"), self._setting))

    async def list(self) -> TaskList:
        """What can be asked, and what was handed in."""
        return await self._io.run(flows.answer(TaskList, requests.TASKS, self._setting))


@final
class AsyncBatches:
    """Files of puzzles, which the server keeps and solves when nobody else waits."""

    def __init__(self, io: AsyncIo, setting: Setting) -> None:
        self._io = io
        self._setting = setting

    async def submit(
        self,
        source: BatchSource,
        *,
        puzzle: SolveOptions | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Batch:
        """Hand in a file of requests, or puzzles that are all to be solved as `puzzle` says.

        It is sent while it is read. What is cut off is sent again, but for an iterator's puzzles.
        """
        call = requests.submit_call(source, puzzle or {}, options, secrets.token_hex)
        return await self._io.run(flows.answer(Batch, call, self._setting))

    async def get(self, batch_id: str) -> Batch:
        """A batch, and how far it is."""
        return await self._io.run(flows.answer(Batch, requests.state_call(batch_id), self._setting))

    async def list(self, *, limit: int = 20, after: str | None = None) -> BatchPage:
        """Batches, newest first."""
        call = requests.list_call(limit, after)
        return await self._io.run(flows.answer(BatchPage, call, self._setting))

    async def wait(
        self,
        batch_id: str,
        *,
        progress: Callable[[Batch], None] | None = None,
        timeout_s: float | None = None,
        every_s: float = 1.0,
    ) -> Batch:
        """A batch once it has ended; `progress` hears of changes. May time out."""
        polling = Polling(every_s, timeout_s, progress)
        call = requests.state_call(batch_id)
        return await self._io.run(flows.polled(Batch, call, polling, self._setting))

    def results(
        self, batch_id: str, *, follow: bool = False, every_s: float = 1.0
    ) -> AsyncGenerator[BatchLine]:
        """Results in the order of the lines: so far, or to the end if they are followed."""
        following = Following(follow, every_s)
        return self._io.iterate(results.lines(batch_id, following, self._setting))

    def results_bytes(
        self, batch_id: str, *, start_byte: int = 0, follow: bool = False, every_s: float = 1.0
    ) -> AsyncGenerator[bytes]:
        """The same as they lie on the server, JSON lines in UTF-8, in pieces of any size."""
        following = Following(follow, every_s)
        return self._io.iterate(results.raw(batch_id, start_byte, following, self._setting))

    async def download(
        self,
        batch_id: str,
        path: str | PathLike[str],
        *,
        follow: bool = False,
        progress: Callable[[int], None] | None = None,
        every_s: float = 1.0,
    ) -> Downloaded:
        """The results as a file, behind what it holds of them already; progress: its bytes.

        Raises: ResultsMismatchError if it holds something else; OSError.
        """
        following = Following(follow, every_s)
        flow = results.download(batch_id, Path(path), following, progress, self._setting)
        return await self._io.run(flow)

    async def cancel(self, batch_id: str) -> Batch:
        """End a batch; its results so far stay."""
        return await self._io.run(
            flows.answer(Batch, requests.cancel_call(batch_id), self._setting)
        )

    async def delete(self, batch_id: str) -> None:
        """End a batch and delete all that there is of it."""
        await self._io.run(flows.removed(requests.delete_call(batch_id), self._setting))
