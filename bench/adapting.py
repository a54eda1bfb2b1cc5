"""Tasks that a model has never seen, adapted to: how many are answered, and beside doing nothing.

Time is CPU time of this process, so that other work on the machine does not matter: five minutes of
two cores are `minutes = 10`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict

from bench.report import BenchError
from training.adaptation import Adaptation
from training.adaptation_plan import AdaptationPlan
from training.arc_build import read_names, read_tasks
from training.task_scores import is_solved
from training.task_set import NamedTask

Way = Literal["nothing", "embedding", "network"]


class Outcome(BaseModel):
    """One task, one way. solved: share of its questions that are right within two attempts.

    tries: at most so many, which vote together; exact: share of the training rows that were right
    at last; held_out: share of views that were, of the demonstrations held out; None where there
    was none, or nothing was learnt; seconds: of CPU time until nothing was left to learn or time
    was up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    way: Way
    minutes: float
    tries: int = 1
    demonstrations: int
    solved: float
    optimizer_steps: int
    seconds: float
    exact: float | None
    held_out: float | None


def read_asked(tasks: Path, names: Path) -> list[NamedTask]:
    """The tasks of a file that another lists. Raises: DatasetError, BenchError."""
    wanted = read_names(names)
    found = {task.name: task for task in read_tasks(tasks) if task.name in wanted}
    if missing := sorted(wanted - found.keys()):
        raise BenchError(f"{tasks}: has no task {', '.join(missing)}")
    return [found[name] for name in sorted(wanted)]


def part_of(asked: list[NamedTask], part: str | None) -> list[NamedTask]:
    """`1/2`: every second one, from the first; None: all. Raises: BenchError."""
    if part is None:
        return asked
    numbers = part.split("/")
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        raise BenchError(f"part {part}: expected two numbers, as 1/2")
    place, parts = map(int, numbers)
    if not 1 <= place <= parts:
        raise BenchError(f"part {part}: expected the first number between 1 and the second")
    return asked[place - 1 :: parts]


def ways_of(*, embedding_minutes: float, network_minutes: float) -> tuple[tuple[Way, float], ...]:
    """Every way with its minutes of CPU time; one that has none is left out."""
    learning: tuple[tuple[Way, float], ...] = (
        ("embedding", embedding_minutes),
        ("network", network_minutes),
    )
    return (("nothing", 0.0), *((way, minutes) for way, minutes in learning if minutes))


def adapt_all(
    checkpoint: Path,
    asked: Sequence[NamedTask],
    ways: Iterable[tuple[Way, float]],
    known: Iterable[Outcome],
    on_outcome: Callable[[Outcome], None],
    *,
    tries: int = 1,
    threads: int = 1,
    compiled: bool = True,
) -> None:
    """Every task in every way, told one by one; `known` are not done again.

    ways: with their minutes of CPU time; tries: an outcome for each number of them up to this one.
    Raises: CheckpointError, DatasetError.
    """
    torch.set_num_threads(threads)
    done = {(one.task, one.way, one.minutes, one.tries) for one in known}
    for way, minutes in ways:
        most = 1 if way == "nothing" else tries
        for task in asked:
            if (task.name, way, minutes, most) not in done:
                plan = AdaptationPlan(
                    what="embedding" if way == "embedding" else "network",
                    minutes=minutes or 1.0,
                    tries=most,
                    compile=compiled,
                )
                for outcome in _outcomes(checkpoint, task, way, plan):
                    if (task.name, way, minutes, outcome.tries) not in done:
                        on_outcome(outcome)


def _outcomes(
    checkpoint: Path, named: NamedTask, way: Way, plan: AdaptationPlan
) -> Iterator[Outcome]:
    """With one try, with two, up to the plan's; there may have been time for fewer."""
    adaptation = Adaptation(
        checkpoint, named.task, plan, device=torch.device("cpu"), clock=time.process_time
    )
    adapted = adaptation.run(lambda _: None, lambda: way == "nothing")
    for tries in range(1, plan.tries + 1):
        first = adapted[:tries]
        found = adaptation.answers(named.name, named.task.questions, tries=tries)
        right = [
            answer is not None and is_solved(one, answer)
            for one, answer in zip(found, named.task.answers, strict=True)
        ]
        held_out = [one.held_out.accuracy for one in first if one.held_out is not None]
        yield Outcome(
            task=named.name,
            way=way,
            minutes=0.0 if way == "nothing" else plan.minutes,
            tries=tries,
            demonstrations=len(named.task.demonstrations),
            solved=sum(right) / len(right),
            optimizer_steps=sum(one.optimizer_steps for one in first),
            seconds=sum(one.seconds for one in first),
            exact=first[-1].exact,
            held_out=sum(held_out) / len(held_out) if held_out else None,
        )


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: one line for each way, time and number of tries."""
    lines = [
        "| way | CPU minutes | tries | tasks | solved, pass@2 | CPU seconds, mean | "
        "rows of demonstrations right | held-out demonstration right |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[Way, float, int], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.way, one.minutes, one.tries), []).append(one)
    for (way, minutes, tries), group in groups.items():
        solved = sum(one.solved for one in group)
        lines.append(
            f"| {way} | {minutes:g} | {tries} | {len(group)} | {solved:g} | "
            f"{sum(one.seconds for one in group) / len(group):.0f} | "
            f"{_mean(one.exact for one in group)} | {_mean(one.held_out for one in group)} |"
        )
    return "\n".join(lines)


def _mean(shares: Iterable[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{sum(known) / len(known):.0%} of {len(known)}" if known else "–"
