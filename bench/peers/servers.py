"""What one would serve the same network with instead: LitServe, and a plain FastAPI route.

Both are written as their documentation suggests, answer as the server does, and take the same
engine and puzzle rules.
"""

import queue
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import litserve
import numpy as np
from fastapi import FastAPI

from bench.engines import Place, Subject, open_engine
from bench.solvers import Answered, Setup, StaticBatch
from bench.tally import TimedEngine
from puzzles.kind import Grid, Verdict
from puzzles.registry import by_name
from server.schemas import read_grid

PATH = "/v1/solve"
# LitServe waits so long for a batch to fill: little beside the steps of a batch.
BATCH_TIMEOUT_S = 0.01


@dataclass(frozen=True)
class Given:
    """What to serve. stops_early: whether a batch ends when every row has halted."""

    bundle: Path
    puzzle: str
    runtime: str
    threads: int
    slots: int
    max_steps: int
    stops_early: bool


def open_setup(bundle: Path, puzzle: str, runtime: str, threads: int, slots: int) -> Setup:
    """An engine and what belongs to it. Raises: BenchError, BundleError."""
    subject = Subject.open(bundle, puzzle)
    _, engine = open_engine(subject, Place("cpu", threads), runtime)
    manifest = subject.manifest
    kind = by_name(subject.entry.spec.name)
    return Setup(TimedEngine(engine), manifest.name, kind, manifest.restart, slots)


def solve_batch(
    setup: Setup, questions: Sequence[Grid], max_steps: int, *, stops_early: bool
) -> list[Answered]:
    """All of these in step, as a static batcher does it."""
    tokens = np.stack([setup.puzzle.encode(question) for question in questions])
    batch = StaticBatch(setup, tokens, np.stack(questions))
    return batch.until_halted(max_steps) if stops_early else batch.fixed(max_steps)


def question_of(setup: Setup, request: dict[str, Any]) -> Grid:
    """The grid of a request, checked. Raises: PuzzleError."""
    question = setup.puzzle.parse(read_grid(request["grid"]))
    setup.puzzle.check(question)
    return question


def answer_of(answered: Answered) -> dict[str, Any]:
    """As the server says it, as far as a load generator reads it."""
    solved = answered.verdict is Verdict.solved and answered.answer is not None
    return {
        "status": "solved" if solved else "unsolved",
        "solution": answered.answer.tolist() if solved and answered.answer is not None else None,
        "steps": answered.steps,
    }


@final
class SolveApi(litserve.LitAPI):  # type: ignore[misc]  # litserve has no types
    """Decode → batch → predict → unbatch → encode, as LitServe has it."""

    def __init__(self, given: Given) -> None:
        super().__init__(max_batch_size=given.slots, batch_timeout=BATCH_TIMEOUT_S, api_path=PATH)
        self._given = given

    def setup(self, device: str) -> None:  # noqa: ARG002 (LitServe's)
        given = self._given
        self._setup = open_setup(
            given.bundle, given.puzzle, given.runtime, given.threads, given.slots
        )

    def decode_request(self, request: dict[str, Any]) -> Grid:
        return question_of(self._setup, request)

    def batch(self, inputs: list[Grid]) -> list[Grid]:
        return inputs

    def predict(self, questions: list[Grid]) -> list[Answered]:
        return solve_batch(
            self._setup,
            questions,
            self._given.max_steps,
            stops_early=self._given.stops_early,
        )

    def unbatch(self, output: list[Answered]) -> list[Answered]:
        return output

    def encode_response(self, output: Answered) -> dict[str, Any]:
        return answer_of(output)


def create_plain_app(given: Given) -> FastAPI:
    """A route in FastAPI's thread pool that solves one puzzle at a time.

    An engine of one thread per core: the carry of a solve belongs to its engine.
    """
    free: queue.Queue[Setup] = queue.Queue()
    for _ in range(given.threads):
        free.put(open_setup(given.bundle, given.puzzle, given.runtime, 1, 1))
    app = FastAPI()

    @app.post(PATH)
    def solve(request: dict[str, Any]) -> dict[str, Any]:
        setup = free.get()
        try:
            question = question_of(setup, request)
            [answered] = solve_batch(setup, [question], given.max_steps, stops_early=True)
        finally:
            free.put(setup)
        return answer_of(answered)

    @app.get("/health")
    def health() -> str:
        return "ok"

    return app
