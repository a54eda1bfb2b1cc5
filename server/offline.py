"""`ponder solve`: the server's solver without the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from export.manifest import BundleError, Effort
from puzzles.errors import PuzzleError
from puzzles.kind import Grid, PuzzleKind
from server.choice import NotServedError, UnknownModelError
from server.effort import LimitExceededError
from server.lane import Job, SolveResult
from server.loading import load_solver
from server.policy import Status
from server.puzzle_files import FiledQuestion, PuzzleFileError, read_questions
from server.schemas import SolveAnswer, SolveRequest
from server.settings import Settings
from server.solver import Solver
from server.worker import EngineFailedError


class OfflineError(Exception):
    """Why nothing can be solved: the question, the file, the bundle or the settings."""


@dataclass(frozen=True)
class OfflineOptions:
    """What may be told on the command line; None and nothing leave it to the settings."""

    kind: str = "sudoku"
    bundles: tuple[Path, ...] = ()
    threads: int | None = None
    effort: Effort | None = None
    max_steps: int | None = None
    attempts: int | None = None


@dataclass(frozen=True)
class Solved:
    """A question and what came of it."""

    puzzle: PuzzleKind
    question: Grid
    result: SolveResult

    @property
    def is_solved(self) -> bool:
        """Whether there is a solution."""
        return self.result.finish.status is Status.solved

    def json(self) -> str:
        """One line, as the API answers."""
        return SolveAnswer.of(self.result).model_dump_json()


def given_questions(puzzle: str | None, file: Path | None) -> list[FiledQuestion]:
    """The one puzzle or the file's. Raises: OfflineError unless exactly one of them is given."""
    if (puzzle is None) == (file is None):
        raise OfflineError("give a puzzle or --input FILE, one of the two")
    if puzzle is not None:
        return [FiledQuestion(1, puzzle)]
    try:
        return read_questions(file or Path())
    except PuzzleFileError as error:
        raise OfflineError(str(error)) from error


def solve_offline(
    questions: Sequence[FiledQuestion], options: OfflineOptions, console: Console
) -> list[Solved]:
    """Solve all questions, in their order, with a progress bar on `console`.

    Raises: OfflineError before anything is solved, or if the engine fails.
    """
    try:
        solver = load_solver(_settings(options, len(questions)))
        jobs = [_prepare(solver, question, options) for question in questions]
        bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        with solver, bar as progress:
            task = progress.add_task("solving", total=len(jobs))
            for job in jobs:
                job.future.add_done_callback(lambda _: progress.advance(task))
            solver.submit(jobs)
            return [Solved(job.lane.puzzle, job.question, job.future.result()) for job in jobs]
    except (BundleError, EngineFailedError, ValidationError) as error:
        raise OfflineError(str(error)) from error


def _settings(options: OfflineOptions, questions: int) -> Settings:
    chosen: dict[str, Any] = {"queue_limit": max(questions, Settings().queue_limit)}
    if options.bundles:
        chosen["bundles"] = options.bundles
    if options.threads is not None:
        chosen["threads"] = options.threads
    return Settings(**chosen)


def _prepare(solver: Solver, question: FiledQuestion, options: OfflineOptions) -> Job:
    request = SolveRequest(
        kind=options.kind,
        grid=question.text,
        effort=options.effort,
        max_steps=options.max_steps,
        attempts=options.attempts,
    )
    try:
        return solver.prepare(request, solver.clock())
    except (PuzzleError, NotServedError, UnknownModelError, LimitExceededError) as error:
        raise OfflineError(f"puzzle in line {question.line}: {error}") from error
