"""What goes over the wire about tasks. pydantic, and tasks as they are known."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from puzzles.arc import LARGEST_SIDE
from puzzles.arc_task import ArcTask
from server.schemas import LONGEST_DEADLINE_MS, ModelName, Problem, Timing

MOST_QUESTIONS = 16
MOST_DEMONSTRATIONS = 32
LONGEST_NAME = 128  # characters
MOST_TRIES = 16  # each is a network of its own that votes

What = Literal["network", "embedding"]
TaskState = Literal["ready", "queued", "adapting", "failed"]
Phase = Literal["starting", "held_out", "all", "exporting", "done"]

_ROWS = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
_TEST = {"type": "array", "items": _ROWS, "minItems": 1, "maxItems": MOST_QUESTIONS}
_TRAIN = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"input": _ROWS, "output": _ROWS},
        "required": ["input", "output"],
    },
    "minItems": 1,
    "maxItems": MOST_DEMONSTRATIONS,
}


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskSolveRequest(_Wire):
    """Questions of an ARC task: one that a bundle knows by name, or told by demonstrations.

    Grids are rows of colours 0-9; they are checked where they can be named.
    """

    kind: Literal["arc"]
    task: str | None = Field(None, description="Id of a task that is ready: see `GET /v1/tasks`.")
    train: Annotated[list[Any] | None, WithJsonSchema(_TRAIN)] = Field(
        None,
        min_length=1,
        max_length=MOST_DEMONSTRATIONS,
        description="Demonstrations, in place of a name; in any colours and turned as may be.",
    )
    test: Annotated[list[Any], WithJsonSchema(_TEST)] = Field(
        min_length=1, max_length=MOST_QUESTIONS, description="Grids to answer."
    )
    model: ModelName = None
    views: int | None = Field(
        None, ge=1, description="How many views of a question vote [all that the task has]."
    )
    max_steps: int | None = Field(None, ge=1, description="Supervision steps of a view.")
    deadline_ms: int | None = Field(
        None, ge=0, le=LONGEST_DEADLINE_MS, description="Time to answer, from arrival."
    )

    @model_validator(mode="after")
    def _told_once(self) -> "TaskSolveRequest":
        if (self.task is None) == (self.train is None):
            raise ValueError("give either `task`, a name, or `train`, demonstrations")
        return self


class Attempt(_Wire):
    """An answer and who is for it."""

    answer: list[list[int]]
    votes: int
    share: float = Field(description="Of all views that were asked.")
    halt_probability: float = Field(description="Mean over the votes.")


class QuestionAnswer(_Wire):
    """At most two attempts at one question, best first."""

    attempts: list[Attempt]
    views: int
    mean_steps: float = Field(description="Supervision steps of a view, on average.")


class TaskAnswer(_Wire):
    """What came of a task's questions. No rule can check them: `verified` is always null."""

    task: str = Field(description="Id of the task.")
    results: list[QuestionAnswer]
    verified: None = None
    model: str
    timing: Timing


class TaskRequest(_Wire):
    """A task to be known from now on. Colours and turns need not be as they will be asked in."""

    train: Annotated[list[Any], WithJsonSchema(_TRAIN)] = Field(
        min_length=1, max_length=MOST_DEMONSTRATIONS, description="Demonstrations."
    )
    name: str | None = Field(None, max_length=LONGEST_NAME, description="For people.")
    minutes: float | None = Field(
        None, gt=0, description="Time to learn it in, if nobody knows it [the server's]."
    )
    tries: int | None = Field(
        None,
        ge=1,
        le=MOST_TRIES,
        description="How often to learn it, while there is time; all that was learnt votes [the "
        "server's].",
    )
    side: int | None = Field(
        None,
        ge=1,
        le=LARGEST_SIDE,
        description="Longest side of the grids to come, questions and answers, where it is more "
        "than that of the demonstrations: the task is learnt on a canvas that holds them.",
    )
    what: What = Field(
        "network",
        description="What is fitted: first an embedding and then the whole network, or the "
        "embedding alone, which is weaker.",
    )


class TaskProgress(_Wire):
    """How learning goes. In the phase `held_out` one demonstration is kept as a check.

    A figure is null until there is one.
    """

    phase: Phase
    attempt: int | None = Field(None, description="Which try at learning it, from 1.")
    optimizer_steps: int | None = Field(None, description="Of this try.")
    seconds: float | None = None
    seconds_left: float | None = Field(None, description="Of the time to learn, at most.")
    loss: float | None = None
    exact: float | None = Field(None, description="Share of the training rows that are right.")
    held_out_accuracy: float | None = Field(
        None, description="Share of views that are right of the demonstration that was held out."
    )

    def after(self, before: "TaskProgress | None") -> "TaskProgress":
        """With the figures of `before` where this has none."""
        if before is None:
            return self
        known = before.model_dump(exclude_none=True) | self.model_dump(exclude_none=True)
        return TaskProgress.model_validate(known)


class Task(_Wire):
    """A task. `origin`: in a loaded bundle, or adapted to here; only the latter has a history."""

    id: str
    name: str | None
    state: TaskState
    origin: Literal["bundle", "adapted"]
    created_at: datetime | None = None
    queue_position: int | None = Field(None, description="1: the next to be learnt.")
    progress: TaskProgress | None = None
    problem: Problem | None = Field(None, description="Why it could not be learnt.")


class DemonstrationPair(_Wire):
    """What goes in and what comes out, rows of colours each."""

    input: list[list[int]]
    output: list[list[int]]


class Demonstrations(_Wire):
    """What a task is told by."""

    train: list[DemonstrationPair]

    @classmethod
    def of(cls, task: ArcTask) -> "Demonstrations":
        """The wire form of a task's demonstrations."""
        pairs = [(pair.question.tolist(), pair.answer.tolist()) for pair in task.demonstrations]
        return cls(train=[DemonstrationPair(input=i, output=o) for i, o in pairs])


class TaskList(_Wire):
    """`tasks`: ids of all that can be asked; `adapted`: what was handed in here, oldest first."""

    tasks: tuple[str, ...]
    adapted: tuple[Task, ...] = ()
