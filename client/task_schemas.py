"""What a server answers about ARC tasks."""

from datetime import datetime
from typing import Literal

from client.schemas import Answer, Grid, Problem, Timing

TaskState = Literal["ready", "queued", "adapting", "failed"]


class Attempt(Answer):
    """An answer to a question of a task, and the share of views that are for it."""

    answer: Grid
    votes: int
    share: float
    halt_probability: float


class QuestionAnswer(Answer):
    """At most two attempts at one question, best first."""

    attempts: tuple[Attempt, ...]
    views: int
    mean_steps: float


class TaskAnswer(Answer):
    """What came of a task's questions. No rule can check them: `verified` is always None."""

    task: str
    results: tuple[QuestionAnswer, ...]
    verified: None = None
    model: str
    timing: Timing


class TaskProgress(Answer):
    """How learning goes; a figure is None until there is one. Shares are 0 to 1."""

    phase: str
    attempt: int | None = None
    optimizer_steps: int | None = None
    seconds: float | None = None
    seconds_left: float | None = None
    loss: float | None = None
    exact: float | None = None
    held_out_accuracy: float | None = None


class Task(Answer):
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


class TaskList(Answer):
    """`tasks`: ids of all that can be asked; `adapted`: what was handed in, oldest first."""

    tasks: tuple[str, ...]
    adapted: tuple[Task, ...] = ()
