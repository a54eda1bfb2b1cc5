"""What solving some puzzles took, and an engine that tells how much of it was its own."""

import time
from dataclasses import dataclass
from typing import final

from bench.rounds import Clock
from server.engine import Engine, StepAnswers, StepInputs


@dataclass(frozen=True)
class Tally:
    """One contender's round.

    steps: supervision steps that were spent on puzzles until each got its answer; row_steps: rows
    that the engine stepped, those included that were done already. seconds: all of it;
    preparing_s: before the first step, encoding questions; engine_s: inside the engine.
    """

    puzzles: int
    verified: int
    exact: int
    steps: int
    row_steps: int
    calls: int
    seconds: float
    preparing_s: float
    engine_s: float
    cpu_s: float

    @property
    def outside_s(self) -> float:
        """Between supervision steps: planning, tensors, checking answers, settling."""
        return self.seconds - self.preparing_s - self.engine_s


@final
class TimedEngine(Engine):
    """Another engine, and what it was asked to do since `restart`."""

    def __init__(self, engine: Engine, clock: Clock = time.perf_counter) -> None:
        self._engine = engine
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Forget the carry, and count anew."""
        self._engine.reset()
        self.calls, self.rows, self.seconds = 0, 0, 0.0

    @property
    def runtime(self) -> str:
        return self._engine.runtime

    @property
    def state_len(self) -> int:
        return self._engine.state_len

    def reset(self) -> None:
        self._engine.reset()

    def step(self, inputs: StepInputs) -> StepAnswers:
        begun = self._clock()
        answers = self._engine.step(inputs)
        self.seconds += self._clock() - begun
        self.calls += 1
        self.rows += len(inputs.tokens)
        return answers


@final
class Stopwatch:
    """Wall clock and processor time of a round, from its making."""

    def __init__(self, engine: TimedEngine) -> None:
        engine.restart()
        self._engine = engine
        self._cpu = time.process_time()
        self._begun = time.perf_counter()
        self._prepared = self._begun

    def prepared(self) -> None:
        """The questions are encoded; the first step comes."""
        self._prepared = time.perf_counter()

    def stop(self, *, puzzles: int, verified: int, exact: int, steps: int) -> Tally:
        """The round is over."""
        return Tally(
            puzzles=puzzles,
            verified=verified,
            exact=exact,
            steps=steps,
            row_steps=self._engine.rows,
            calls=self._engine.calls,
            seconds=time.perf_counter() - self._begun,
            preparing_s=self._prepared - self._begun,
            engine_s=self._engine.seconds,
            cpu_s=time.process_time() - self._cpu,
        )
