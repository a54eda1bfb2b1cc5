"""Prometheus metrics: one registry per server, units in the names, bounded labels only.

`puzzle` is the name of a loaded puzzle size, `model` that of a loaded bundle, `outcome` of requests
`answered`, `client_gone` or the `code` of a problem; `key` is the name of a
configured key or `none`; all other labels are the words of the API.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from server.batches.store import STATES, BatchState
from server.lane import Lane, SolveResult
from server.policy import Status

ANSWERED, CLIENT_GONE = "answered", "client_gone"  # outcomes beside the codes of problems
WAIT_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60)
STEP_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
ROW_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SUPERVISION_STEP_BUCKETS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
ATTEMPT_BUCKETS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 1024)

ReloadOutcome = Literal["done", "failed"]
RELOAD_OUTCOMES: tuple[ReloadOutcome, ...] = get_args(ReloadOutcome)
AdaptationOutcome = Literal["ready", "failed"]
ADAPTATION_OUTCOMES: tuple[AdaptationOutcome, ...] = get_args(AdaptationOutcome)
BATCH_LINE_OUTCOMES = (*Status, "invalid")


@final
class Metrics:
    """Every metric of one server, as events to report."""

    def __init__(self, version: str) -> None:
        # Nobody reads when each series was made, and there would be as many again.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        gauge = partial(Gauge, registry=self._registry)
        counter = partial(Counter, registry=self._registry)
        histogram = partial(Histogram, registry=self._registry)
        for about_the_process in (ProcessCollector, PlatformCollector, GCCollector):
            about_the_process(registry=self._registry)

        gauge("ponder_build_info", "Version of the server.", ["version"]).labels(version).set(1)
        self._models = gauge(
            "ponder_model_info",
            "1 for every loaded bundle and puzzle; what runs its steps.",
            ["model", "puzzle", "runtime"],
        )
        self._reloads = counter(
            "ponder_reloads", "Reloads of the bundles, by outcome.", ["outcome"]
        )
        self._state = gauge("ponder_state", "1 for what /readyz says, 0 for the others.", ["state"])
        self._queue_depth = gauge("ponder_queue_depth", "Puzzles waiting for a slot.", ["puzzle"])
        self._background_depth = gauge(
            "ponder_background_depth", "Lines of batches waiting for a slot.", ["puzzle"]
        )
        self._slots_active = gauge("ponder_slots_active", "Slots that hold a row.", ["puzzle"])
        self._by_lane: Sequence[tuple[Gauge, Callable[[Lane], float]]] = (
            (self._queue_depth, _waiting),
            (self._background_depth, _in_background),
            (self._slots_active, _working),
        )
        self._watched: set[tuple[str, str, str]] = set()  # model, puzzle, runtime
        self._requests = counter(
            "ponder_requests", "Requests to solve, single or batch, by outcome.", ["outcome"]
        )
        self._keys: set[str] = set()  # that were seen
        self._key_requests = counter(
            "ponder_key_requests", "Requests let in, by the name of their key.", ["key"]
        )
        self._key_puzzles = counter("ponder_key_puzzles", "Puzzles that they brought.", ["key"])
        self._key_limited = counter(
            "ponder_key_limited", "Requests refused because of their key's rate.", ["key"]
        )
        self._asked = counter(
            "ponder_asked",
            "Well-formed puzzles, by the effort that the request names; none if it names none.",
            ["puzzle", "effort"],
        )
        self._solves = counter("ponder_solves", "Puzzles answered.", ["puzzle", "status"])
        self._stopped_by = counter(
            "ponder_stopped_by", "Why the solving of a puzzle ended.", ["puzzle", "stopped_by"]
        )
        self._verdicts = counter(
            "ponder_verdicts",
            "What the rules said of a puzzle's last answer; none if there was no answer.",
            ["puzzle", "verdict"],
        )
        self._engine_failures = counter(
            "ponder_engine_failures", "Supervision steps that failed.", ["puzzle"]
        )
        self._batches = gauge("ponder_batches", "Batches that are kept, by state.", ["state"])
        self._batch_lines = counter(
            "ponder_batch_lines", "Lines of batches answered, and stored.", ["outcome"]
        )
        self._adaptations = counter(
            "ponder_adaptations", "Tasks whose learning ended: ready or failed.", ["outcome"]
        )
        self._adaptations_waiting = gauge(
            "ponder_adaptations_waiting", "Tasks that wait to be learnt."
        )
        self._queue_seconds = histogram(
            "ponder_queue_seconds", "Arrival to slot.", ["puzzle"], buckets=WAIT_BUCKETS
        )
        self._compute_seconds = histogram(
            "ponder_compute_seconds", "Slot to answer.", ["puzzle"], buckets=WAIT_BUCKETS
        )
        self._steps = histogram(
            "ponder_supervision_steps",
            "Supervision steps per puzzle, over all attempts.",
            ["puzzle"],
            buckets=SUPERVISION_STEP_BUCKETS,
        )
        self._attempts = histogram(
            "ponder_attempts", "Attempts per puzzle.", ["puzzle"], buckets=ATTEMPT_BUCKETS
        )
        self._step_seconds = histogram(
            "ponder_step_seconds",
            "One supervision step of all rows, judging included.",
            ["puzzle"],
            buckets=STEP_BUCKETS,
        )
        self._step_rows = histogram(
            "ponder_step_rows", "Rows per supervision step.", ["puzzle"], buckets=ROW_BUCKETS
        )
        for outcome in ADAPTATION_OUTCOMES:
            self._adaptations.labels(outcome)
        for outcome in BATCH_LINE_OUTCOMES:
            self._batch_lines.labels(outcome)
        for reloaded in RELOAD_OUTCOMES:
            self._reloads.labels(reloaded)

    def expect_requests(self, outcomes: Iterable[str]) -> None:
        """Count from 0: whoever reads a counter sees its first event only if it was there before.

        So it is with all that somebody may want to be alerted of.
        """
        for outcome in outcomes:
            self._requests.labels(outcome)

    def watch_state(self, states: Iterable[str], state: Callable[[], str]) -> None:
        """Read which of its states the server is in whenever somebody asks."""
        for one in states:
            self._state.labels(one).set_function(partial(_is, one, state))

    def watch(self, served: Iterable[Lane], lanes: Callable[[], Iterable[Lane]]) -> None:
        """Tell of these lanes, in place of those that were told of before.

        lanes: of now, read whenever somebody asks for queue depth and active slots.
        """
        models = {(lane.model, lane.name, lane.runtime) for lane in served}
        puzzles = {puzzle for _, puzzle, _ in models}
        for gone in self._watched - models:
            self._models.remove(*gone)
        for puzzle in {puzzle for _, puzzle, _ in self._watched} - puzzles:
            for gauge, _ in self._by_lane:
                gauge.remove(puzzle)
        self._watched = models
        for model in models:
            self._models.labels(*model).set(1)
        for puzzle in puzzles:
            self._engine_failures.labels(puzzle)
            for status in Status:
                self._solves.labels(puzzle, status)
            for gauge, figure in self._by_lane:
                gauge.labels(puzzle).set_function(partial(_total, figure, puzzle, lanes))

    def reload(self, outcome: ReloadOutcome) -> None:
        """The bundles were reloaded, or could not be."""
        self._reloads.labels(outcome).inc()

    def watch_batches(self, count: Callable[[BatchState], float]) -> None:
        """Read how many batches there are in each state whenever somebody asks."""
        for state in STATES:
            self._batches.labels(state).set_function(partial(count, state))

    def watch_adaptations(self, waiting: Callable[[], float]) -> None:
        """Read how many tasks wait to be learnt whenever somebody asks."""
        self._adaptations_waiting.set_function(waiting)

    def adaptation(self, outcome: AdaptationOutcome) -> None:
        """Learning a task has ended."""
        self._adaptations.labels(outcome).inc()

    def batch_line(self, outcome: str) -> None:
        """A line of a batch has its answer, for good."""
        self._batch_lines.labels(outcome).inc()

    def request(self, outcome: str) -> None:
        """A request to solve got its answer."""
        self._requests.labels(outcome).inc()

    def key_request(self, key: str) -> None:
        """A request with a key, or one that needed none, was let in."""
        if key not in self._keys:  # so that what it has not had yet shows as 0
            self._keys.add(key)
            self._key_puzzles.labels(key)
            self._key_limited.labels(key)
        self._key_requests.labels(key).inc()

    def key_puzzles(self, key: str, puzzles: int) -> None:
        """It brought so many puzzles."""
        self._key_puzzles.labels(key).inc(puzzles)

    def key_limited(self, key: str) -> None:
        """It was refused: its client brought too many."""
        self._key_limited.labels(key).inc()

    def asked(self, puzzle: str, effort: str | None) -> None:
        """A request brought a puzzle that can be worked on."""
        self._asked.labels(puzzle, effort or "none").inc()

    def step(self, puzzle: str, *, rows: int, seconds: float) -> None:
        """A supervision step ran."""
        self._step_seconds.labels(puzzle).observe(seconds)
        self._step_rows.labels(puzzle).observe(rows)

    def engine_failure(self, puzzle: str) -> None:
        """A supervision step failed."""
        self._engine_failures.labels(puzzle).inc()

    def solve(self, result: SolveResult) -> None:
        """A puzzle was answered."""
        puzzle = result.puzzle
        self._solves.labels(puzzle, result.finish.status).inc()
        self._stopped_by.labels(puzzle, result.finish.stopped_by).inc()
        self._verdicts.labels(puzzle, result.verdict or "none").inc()
        self._queue_seconds.labels(puzzle).observe(result.queue_s)
        self._compute_seconds.labels(puzzle).observe(result.compute_s)
        self._steps.labels(puzzle).observe(result.spent.steps)
        self._attempts.labels(puzzle).observe(result.spent.attempts)

    def page(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self._registry)


def _total(
    figure: Callable[[Lane], float], puzzle: str, lanes: Callable[[], Iterable[Lane]]
) -> float:
    return sum(figure(lane) for lane in lanes() if lane.name == puzzle)


def _is(one: str, state: Callable[[], str]) -> float:
    return float(state() == one)


def _waiting(lane: Lane) -> float:
    return lane.scheduler.waiting


def _in_background(lane: Lane) -> float:
    return lane.scheduler.background_waiting


def _working(lane: Lane) -> float:
    return lane.scheduler.working
