"""Flows that solve: one puzzle, one that is watched, many."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from client.encoding import AskedGrid, AskedPuzzle, SolveOptions, puzzle_request
from client.errors import ConnectionFailedError, InvalidInputError, MalformedResponseError
from client.flows import (
    Emit,
    Event,
    Flow,
    Open,
    ReadOn,
    Setting,
    Stream,
    answer,
    answered,
    getting_on,
    opened,
)
from client.requests import EVENTS, batch_call, solve_call
from client.responses import LineBuffer, problem_of_event, read
from client.schemas import Arrival, BatchItem, Solved, Started, Step

MOST_PER_REQUEST = 256  # a server's --batch-limit, unless it says otherwise


def solve(grid: AskedGrid, options: SolveOptions, setting: Setting) -> Flow[Solved]:
    """One puzzle."""
    return answer(Solved, solve_call(grid, options), setting)


def watch(
    grid: AskedGrid, options: SolveOptions, setting: Setting
) -> Stream[Started | Step | Solved]:
    """One puzzle, step by step. What has begun is not begun again where it breaks off."""
    yield from opened(solve_call(grid, options, accept=EVENTS), "events", setting)
    while (event := (yield ReadOn())) is not None:
        assert isinstance(event, Event)
        match event.name:
            case "start":
                yield Emit(read(Started, event.data))
            case "step":
                yield Emit(read(Step, event.data))
            case "result":
                yield Emit(read(Solved, event.data))
                return
            case "problem":
                raise problem_of_event(event.data)
            case _:  # of a newer server
                pass
    raise ConnectionFailedError("the events ended before the result", sent=True)


def parts(
    asked: Iterable[AskedPuzzle],
    options: SolveOptions,
    *,
    per_request: int,
    at_once: int,
    setting: Setting,
) -> Iterator[Stream[Arrival]]:
    """Streams of results for so many puzzles each; `asked` is read as they are begun.

    Raises: InvalidInputError.
    """
    for name, number in (("per_request", per_request), ("at_once", at_once)):
        if number < 1:
            raise InvalidInputError(f"{name} is {number}, expected 1 or more")
    numbered = enumerate(asked)
    taken = iter(lambda: list(islice(numbered, per_request)), [])
    return (
        solve_part({index: puzzle_request(one, options) for index, one in some}, setting)
        for some in taken
    )


def solve_part(requests: Mapping[int, dict[str, Any]], setting: Setting) -> Stream[Arrival]:
    """What comes of puzzles by their index, as it comes; the rest is asked again if cut off."""
    left = dict(requests)

    def once(read_s: float) -> Stream[Arrival]:
        order = list(left)
        call = replace(batch_call([left[index] for index in order]), read_s=read_s)
        yield from answered(Open(call, "bytes"), setting)
        lines = LineBuffer()
        while (part := (yield ReadOn())) is not None:
            for line in lines.feed(part):
                index, outcome = _arrival(read(BatchItem, line), order, left)
                del left[index]
                yield Emit((index, outcome))
        if left:
            raise ConnectionFailedError(f"{len(left)} results never came", sent=True)

    return getting_on(once, lambda: -len(left), setting)


def _arrival(item: BatchItem, order: Sequence[int], left: Container[int]) -> Arrival:
    """Raises: MalformedResponseError for what was not asked, or is there already."""
    outcome = item.result or item.problem
    if outcome is None or not 0 <= item.index < len(order) or order[item.index] not in left:
        raise MalformedResponseError(f"the server sent a result that is none: {item}")
    return order[item.index], outcome
