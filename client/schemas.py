"""What a server answers, typed and frozen. Fields that a newer server adds are passed over."""

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

Grid: TypeAlias = tuple[tuple[int, ...], ...]  # rows of symbols
BatchState = Literal["queued", "running", "done", "cancelled", "failed"]
TaskState = Literal["ready", "queued", "adapting", "failed"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Fault(_Answer):
    """One thing wrong: a cell (`row`, `column`, counted from 1), or a field of the request."""

    detail: str
    row: int | None = None
    column: int | None = None
    field: str | None = None


class Problem(_Answer):
    """Why something was refused: RFC 9457 problem details."""

    type: str = "about:blank"
    title: str = ""
    status: int
    code: str
    detail: str = ""
    errors: tuple[Fault, ...] | None = None


class Timing(_Answer):
    """Where the time went: waiting for a slot, and in one."""

    queue_ms: float
    compute_ms: float


class Solved(_Answer):
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


class Started(_Answer):
    """A puzzle has a slot, and its first supervision step is next."""


class Step(_Answer):
    """A puzzle after one more supervision step, while it is worked on.

    step counts over all attempts, attempt_step within this one. grid: the answer so far; changed,
    assumed: cells as (row, column). confidence: by cell. verdict: what the rules say of the grid.
    """

    attempt: int
    step: int
    attempt_step: int
    grid: Grid
    changed: tuple[tuple[int, int], ...] = ()
    confidence: tuple[tuple[float, ...], ...] | None = None
    halt_probability: float | None = None
    verdict: str | None = None
    assumed: tuple[tuple[int, ...], ...] = ()


# What came of one of many puzzles, behind its place among them, from 0.
Arrival: TypeAlias = tuple[int, Solved | Problem]


class BatchItem(_Answer):
    """A line of `POST /v1/solve/batch`: one of `result` and `problem`."""

    index: int
    result: Solved | None = None
    problem: Problem | None = None


class Attempt(_Answer):
    """An answer to a question of a task, and the share of views that are for it."""

    answer: Grid
    votes: int
    share: float
    halt_probability: float


class QuestionAnswer(_Answer):
    """At most two attempts at one question, best first."""

    attempts: tuple[Attempt, ...]
    views: int
    mean_steps: float


class TaskAnswer(_Answer):
    """What came of a task's questions. No rule can check them: `verified` is always None."""

    task: str
    results: tuple[QuestionAnswer, ...]
    verified: None = None
    model: str
    timing: Timing


class TaskProgress(_Answer):
    """How learning goes; a figure is None until there is one. Shares are 0 to 1."""

    phase: str
    optimizer_steps: int | None = None
    seconds: float | None = None
    seconds_left: float | None = None
    loss: float | None = None
    exact: float | None = None
    held_out_accuracy: float | None = None


class Task(_Answer):
    """A task: in a bundle of the server, or handed in and learnt there."""

    id: str
    name: str | None
    state: TaskState
    origin: str
    created_at: datetime | None = None
    queue_position: int | None = None
    progress: TaskProgress | None = None
    problem: Problem | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it can be asked (`ready`) or could not be learnt (`failed`)."""
        return self.state in ("ready", "failed")


class TaskList(_Answer):
    """`tasks`: ids of all that can be asked; `adapted`: what was handed in, oldest first."""

    tasks: tuple[str, ...]
    adapted: tuple[Task, ...] = ()


class BatchCounts(_Answer):
    """Lines that are not blank; those with a result are `answered`."""

    total: int
    answered: int
    solved: int
    unsolved: int
    invalid: int


class Batch(_Answer):
    """A batch and how far it is."""

    id: str
    name: str | None
    state: BatchState
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime
    counts: BatchCounts
    problem: Problem | None = None

    @property
    def has_ended(self) -> bool:
        """Whether no more results will come."""
        return self.state in ("done", "cancelled", "failed")


class BatchPage(_Answer):
    """Batches, newest first; `next` is the `after` of the page that follows, if any does."""

    batches: tuple[Batch, ...]
    next: str | None = None


class BatchLine(_Answer):
    """The result of one line of a batch: one of `result` and `problem`."""

    custom_id: str
    line: int
    result: Solved | None = None
    problem: Problem | None = None


class Budget(_Answer):
    """What a puzzle may cost: attempts of so many supervision steps each."""

    max_steps: int
    attempts: int


class Accuracy(_Answer):
    """One measured figure of a model; shares in 0..1."""

    data: str
    puzzles: int
    supervision_steps: int
    attempts: int
    exact: float
    verified: float | None


class Model(_Answer):
    """A loaded bundle; `efforts`: budgets by puzzle and by level."""

    name: str
    puzzles: tuple[str, ...]
    efforts: dict[str, dict[str, Budget]]
    cell: str
    parameters: int
    trained_supervision_steps: int
    accuracy: tuple[Accuracy, ...]


class ModelList(_Answer):
    """Every loaded bundle."""

    models: tuple[Model, ...]


class Health(_Answer):
    """Whether the server takes puzzles: `ready`, or why not."""

    status: str

    @property
    def is_ready(self) -> bool:
        """Whether it does."""
        return self.status == "ready"
