"""What a server answers, typed and frozen. Fields that a newer server adds are passed over."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Grid: TypeAlias = tuple[tuple[int, ...], ...]  # rows of symbols
Cell: TypeAlias = tuple[int, int]  # row and column, counted from 1


class Answer(BaseModel):
    """Anything that a server says."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fault(Answer):
    """One thing wrong: a cell (`row`, `column`, counted from 1), or a field of the request."""

    detail: str
    row: int | None = None
    column: int | None = None
    field: str | None = None


class Problem(Answer):
    """Why something was refused: RFC 9457 problem details."""

    type: str = "about:blank"
    title: str = ""
    status: int
    code: str
    detail: str = ""
    errors: tuple[Fault, ...] | None = None


class Timing(Answer):
    """Where the time went: waiting for a slot, and in one."""

    queue_ms: float
    compute_ms: float


class Solved(Answer):
    """What came of one puzzle; `solution` is None unless `status` is `solved`.

    verified: whether the rules confirm the solution; None where no rule can tell.
    steps: supervision steps over all attempts. halt_probability: of the last one.
    """

    status: Literal["solved", "unsolved"]
    solution: Grid | None
    verified: bool | None
    steps: int
    attempts: int
    stopped_by: str
    halt_probability: float | None
    timing: Timing
    model: str

    @property
    def is_solved(self) -> bool:
        """Whether there is a solution."""
        return self.status == "solved"


class Started(Answer):
    """What is being solved, and what may be spent on it: steps of each attempt, attempts."""

    kind: str
    puzzle: str
    model: str
    question: Grid
    max_steps: int
    attempts: int


class Assumed(Answer):
    """A guess that an attempt takes for given; `row`, `column` count from 1."""

    row: int
    column: int
    value: int


class Step(Answer):
    """A puzzle after one more supervision step, while it is worked on.

    step counts over all attempts, attempt_step within this one, from 1; steps may be left out for
    a slow reader. grid: the answer as it stands, guesses and mistakes included. changed: against
    the step before. confidence: by cell, 0 to 1. verdict: what the rules say of the grid.
    """

    attempt: int
    step: int
    attempt_step: int
    grid: Grid | None
    changed: tuple[Cell, ...]
    confidence: tuple[tuple[float, ...], ...] | None
    halt_probability: float | None
    verdict: str
    assumed: tuple[Assumed, ...]


# What came of one of many puzzles, behind its place among them, from 0.
Arrival: TypeAlias = tuple[int, Solved | Problem]


class BatchItem(Answer):
    """A line of `POST /v1/solve/batch`: one of `result` and `problem`."""

    index: int
    result: Solved | None = None
    problem: Problem | None = None


class Budget(Answer):
    """What a puzzle may cost: attempts of so many supervision steps each."""

    max_steps: int
    attempts: int


class Accuracy(Answer):
    """One measured figure of a model; shares in 0..1."""

    data: str
    puzzles: int
    supervision_steps: int
    attempts: int
    exact: float
    verified: float | None


class Model(Answer):
    """A loaded bundle; `efforts`: budgets by puzzle and by level."""

    name: str
    puzzles: tuple[str, ...]
    efforts: dict[str, dict[str, Budget]]
    cell: str
    parameters: int
    trained_supervision_steps: int
    accuracy: tuple[Accuracy, ...]


class ModelList(Answer):
    """Every loaded bundle. `defaults`: by puzzle, which one answers if none is asked for."""

    models: tuple[Model, ...]
    defaults: dict[str, str] = Field(default_factory=dict)


class Health(Answer):
    """Whether the server takes puzzles: `ready`, or why not."""

    status: str

    @property
    def is_ready(self) -> bool:
        """Whether it does."""
        return self.status == "ready"


class Lane(Answer):
    """One puzzle size of one bundle; totals count from when it was opened.

    steps_total: supervision steps, each of all its rows; rows_total: the rows in them.
    """

    puzzle: str
    model: str
    runtime: str
    slots: int
    working: int
    waiting: int
    background_waiting: int
    steps_total: int
    rows_total: int
    solved_total: int
    unsolved_total: int


class EngineNow(Answer):
    """What the engines are doing; `state` as `Health` has it."""

    state: str
    lanes: tuple[Lane, ...]
    uptime_s: float
