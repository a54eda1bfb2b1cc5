"""A task's questions as rows of the in-flight batch, and their answers as a vote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from puzzles.arc import Arc, Variant, cropped
from puzzles.arc_task import ArcTask, InvalidTaskError, read_colours
from puzzles.errors import CellProblem
from puzzles.kind import Grid, View
from puzzles.votes import Vote, ranked
from server.effort import LimitExceededError
from server.lane import Job, Lane, SolveResult
from server.schemas import Timing
from server.solver import Solver
from server.tasks.catalog import Recognised
from server.tasks.schemas import Attempt, QuestionAnswer, TaskAnswer, TaskSolveRequest

ATTEMPTS = 2


@dataclass(frozen=True)
class Ballot:
    """The rows of a request: `views` for each question, one question after the other."""

    rows: Recognised
    jobs: Sequence[Job]
    views: int
    model: str


def prepare_ballot(request: TaskSolveRequest, solver: Solver, arrived_s: float) -> Ballot:
    """Check a request and make a row of every view of every question.

    Raises: InvalidTaskError, UnknownTaskError, UnknownModelError, NotServedError,
    LimitExceededError; BundleError if what was learnt of the task is damaged.
    """
    choice = solver.loaded.choice(request.model)
    questions = [read_colours(f"test[{i}]", raw) for i, raw in enumerate(request.test)]
    if request.task is None:
        asked, side = ArcTask.read({"train": request.train}), max(max(q.shape) for q in questions)
        found = solver.catalog.recognise(asked, choice, side=side)
    else:
        found = solver.catalog.named(request.task, choice)
    rows = found.rows
    lanes = rows.lanes()
    known = rows.variants * len(lanes)
    if request.views is not None and request.views > known:
        raise LimitExceededError("views", request.views, known)
    budget = solver.view_budget(
        rows.trained_steps, request.max_steps, request.deadline_ms, arrived_s
    )
    views = request.views or known
    jobs = [
        Job(lane, view.question, budget, arrived_s, view=view, first_task=rows.first_task)
        for i, question in enumerate(questions)
        for lane, view in _seen_by(lanes, f"test[{i}]", found.there.apply(question), views)
    ]
    return Ballot(found, jobs, views, lanes[0].model)


def _seen_by(
    lanes: Sequence[Lane], place: str, question: Grid, views: int
) -> list[tuple[Lane, View]]:
    """The first views of all networks in turns.

    Raises: InvalidTaskError for a question that is larger than the canvas.
    """
    arc = lanes[0].puzzle
    assert isinstance(arc, Arc)
    if max(question.shape) > arc.size:
        height, width = question.shape
        message = (
            f"{height}×{width} cells; the task is known on {arc.size}×{arc.size}; "
            "POST /v1/tasks with a `side` can have it learnt on more"
        )
        raise InvalidTaskError(place, CellProblem(message))
    return [(lanes[i % len(lanes)], arc.view(question, i // len(lanes))) for i in range(views)]


def _vote(result: SolveResult, there: Variant) -> Vote:
    """A row that had no time for a step votes for nothing."""
    if result.answer is None:
        return Vote(np.zeros((0, 0), np.uint8), 0.0)
    return Vote(there.undo(cropped(result.answer)), result.halt_probability or 0.0)


def counted(
    ballot: Ballot, results: Mapping[int, SolveResult], queue_to_end_s: float
) -> TaskAnswer:
    """The answer to a request; results: of every row, by its number."""
    there = ballot.rows.there
    answers = []
    for begin in range(0, len(ballot.jobs), ballot.views):
        part = [results[i] for i in range(begin, begin + ballot.views)]
        best = ranked(_vote(result, there) for result in part)[:ATTEMPTS]
        answers.append(
            QuestionAnswer(
                attempts=[
                    Attempt(
                        answer=candidate.answer.tolist(),
                        votes=candidate.votes,
                        share=candidate.share,
                        halt_probability=candidate.halt_probability,
                    )
                    for candidate in best
                ],
                views=ballot.views,
                mean_steps=sum(result.spent.steps for result in part) / ballot.views,
            )
        )
    queue_s = max(result.queue_s for result in results.values())
    return TaskAnswer(
        task=ballot.rows.rows.name,
        results=answers,
        model=ballot.model,
        timing=Timing(
            queue_ms=round(1000 * queue_s, 3),
            compute_ms=round(1000 * max(0.0, queue_to_end_s - queue_s), 3),
        ),
    )
