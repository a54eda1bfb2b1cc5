"""What goes over the wire about tasks. pydantic only."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from server.schemas import LONGEST_DEADLINE_MS, Timing

MOST_QUESTIONS = 16
MOST_DEMONSTRATIONS = 32

_ROWS = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
_TEST = {"type": "array", "items": _ROWS}
_TRAIN = {
    "type": "array",
    "items": {"type": "object", "properties": {"input": _ROWS, "output": _ROWS}},
}


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskSolveRequest(_Wire):
    """Questions of an ARC task: one that a bundle knows by name, or told by demonstrations.

    Grids are rows of colours 0-9; they are checked where they can be named.
    """

    kind: Literal["arc"]
    task: str | None = Field(None, description="Name of a known task; `GET /v1/tasks` lists them.")
    train: Annotated[list[Any] | None, WithJsonSchema(_TRAIN)] = Field(
        None,
        min_length=1,
        max_length=MOST_DEMONSTRATIONS,
        description="Demonstrations, in place of a name; in any colours and turned as may be.",
    )
    test: Annotated[list[Any], WithJsonSchema(_TEST)] = Field(
        min_length=1, max_length=MOST_QUESTIONS, description="Grids to answer."
    )
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

    task: str = Field(description="Name of the known task.")
    results: list[QuestionAnswer]
    verified: None = None
    model: str
    timing: Timing


class TaskList(_Wire):
    """Names of the tasks that can be asked."""

    tasks: tuple[str, ...]
