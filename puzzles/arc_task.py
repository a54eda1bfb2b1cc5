"""An ARC task: pairs that show what is asked. Read, checked, recognised when it comes again."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from typing import Any

import numpy as np
import numpy.typing as npt

from puzzles.arc import COLOURS, DIHEDRAL, Variant, dihedral, parse_colours
from puzzles.errors import CellProblem, InvalidGridError, PuzzleError
from puzzles.kind import Grid

MOST_ORDERS = 5_040  # of pairs that look alike but for colours; more are not told apart


class InvalidTaskError(PuzzleError):
    """A task that is none: `place` says which pair, `problems` what is wrong there."""

    def __init__(self, place: str, *problems: CellProblem) -> None:
        super().__init__(f"{place}: {'; '.join(map(str, problems))}")
        self.place = place
        self.problems = problems


@dataclass(frozen=True)
class Pair:
    """A demonstration: what goes in and what comes out, (H, W) uint8 colours each."""

    question: Grid
    answer: Grid

    @property
    def side(self) -> int:
        """The longest side of both."""
        return int(max(*self.question.shape, *self.answer.shape))


@dataclass(frozen=True)
class ArcTask:
    """Demonstrations, and questions with their answers where these are known."""

    demonstrations: tuple[Pair, ...]
    questions: tuple[Grid, ...] = ()
    answers: tuple[Grid | None, ...] = ()

    @classmethod
    def read(cls, raw: object) -> "ArcTask":
        """The published JSON form: {"train": [{"input", "output"}…], "test": [{"input", …}…]}.

        `test` may be absent, as may the outputs in it. Raises: InvalidTaskError.
        """
        if not isinstance(raw, dict):
            raise _problem("task", "expected an object with `train`")
        train, test = raw.get("train"), raw.get("test", [])
        if not isinstance(train, list) or not train:
            raise _problem("train", "expected at least one demonstration")
        if not isinstance(test, list):
            raise _problem("test", "expected a list of questions")
        demonstrations = tuple(_pair(f"train[{i}]", pair) for i, pair in enumerate(train))
        _check_consistent(demonstrations)
        questions, answers = [], []
        for i, pair in enumerate(test):
            if not isinstance(pair, dict) or "input" not in pair:
                raise _problem(f"test[{i}]", "expected an object with `input`")
            questions.append(read_colours(f"test[{i}].input", pair["input"]))
            given = pair.get("output")
            answers.append(None if given is None else read_colours(f"test[{i}].output", given))
        return cls(demonstrations, tuple(questions), tuple(answers))

    @property
    def side(self) -> int:
        """The longest side of all demonstrations and questions; of no answer to a question."""
        sides = [pair.side for pair in self.demonstrations]
        return int(max(sides + [max(question.shape) for question in self.questions]))

    @cached_property
    def canonical(self) -> "Canonical":
        """The same for all that differ by a turn, a recolouring of 1-9 or the pairs' order."""
        return min(
            (_canonical_colours(self.demonstrations, transform) for transform in range(DIHEDRAL)),
            key=lambda found: found.key,
        )


@dataclass(frozen=True)
class Canonical:
    """key: equal for equivalent tasks; variant: what takes this task's grids there."""

    key: bytes
    variant: Variant


def between(known: Canonical, asked: Canonical) -> Variant | None:
    """What takes a grid of the asked task to the known one's; None if they are not equivalent."""
    if known.key != asked.key:
        return None
    # asked → canonical → known; a turn and a recolouring commute.
    back = np.argsort(known.variant.colours)
    colours = tuple(int(back[colour]) for colour in asked.variant.colours)
    probe = np.arange(6, dtype=np.uint8).reshape(2, 3)
    there = dihedral(probe, asked.variant.transform)
    for transform in range(DIHEDRAL):
        if np.array_equal(dihedral(dihedral(probe, transform), known.variant.transform), there):
            return Variant(transform, colours)
    raise AssertionError("the eight turns are a group")


def read_colours(place: str, raw: Any) -> Grid:
    """Rows of integers from outside -> (H, W) colours. Raises: InvalidTaskError."""
    if not isinstance(raw, list) or not all(isinstance(row, list) for row in raw):
        raise _problem(place, "expected rows of integers")
    problems = [
        CellProblem(f"expected an integer, got {cell!r}", r, c)
        for r, row in enumerate(raw, 1)
        for c, cell in enumerate(row, 1)
        if type(cell) is not int  # bool is an int, but no colour
    ]
    if problems:
        raise InvalidTaskError(place, *problems)
    try:
        return parse_colours(raw)
    except InvalidGridError as error:
        raise InvalidTaskError(place, *error.problems) from error


def _pair(place: str, raw: object) -> Pair:
    if not isinstance(raw, dict) or not {"input", "output"} <= raw.keys():
        raise _problem(place, "expected an object with `input` and `output`")
    return Pair(
        read_colours(f"{place}.input", raw["input"]), read_colours(f"{place}.output", raw["output"])
    )


def _check_consistent(pairs: tuple[Pair, ...]) -> None:
    seen: dict[tuple[tuple[int, ...], bytes], int] = {}
    for i, pair in enumerate(pairs):
        first = seen.setdefault((pair.question.shape, pair.question.tobytes()), i)
        if not np.array_equal(pairs[first].answer, pair.answer):
            raise _problem(f"train[{i}]", f"contradicts train[{first}]: same input, other output")


def _problem(place: str, message: str) -> InvalidTaskError:
    return InvalidTaskError(place, CellProblem(message))


def _canonical_colours(pairs: tuple[Pair, ...], transform: int) -> Canonical:
    """The least key over the orders of pairs; colours are numbered as they first appear."""
    turned = [
        Pair(dihedral(pair.question, transform), dihedral(pair.answer, transform)) for pair in pairs
    ]
    found = [_recoloured(order, transform) for order in _orders(turned)]
    return min(found, key=lambda canonical: canonical.key)


def _orders(pairs: list[Pair]) -> list[list[Pair]]:
    """Every order of the pairs that sorts them by how they look without colours."""
    groups: dict[bytes, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(_recoloured([pair], 0).key, []).append(pair)
    alike = [groups[key] for key in sorted(groups)]
    if math.prod(math.factorial(len(group)) for group in alike) > MOST_ORDERS:
        return [[pair for group in alike for pair in group]]
    ways = [permutations(group) for group in alike]
    return [[pair for group in choice for pair in group] for choice in product(*ways)]


def _recoloured(pairs: list[Pair], transform: int) -> Canonical:
    """Colours 1-9 in the order in which they first appear; those that never do keep theirs last."""
    grids = [grid for pair in pairs for grid in (pair.question, pair.answer)]
    cells = np.concatenate([grid.ravel() for grid in grids])
    colours, first = np.unique(cells, return_index=True)
    table = np.empty(COLOURS, np.uint8)
    table[_order(colours, first)] = np.arange(COLOURS)
    key = b"".join(bytes(grid.shape) + table[grid].tobytes() for grid in grids)
    return Canonical(key, Variant(transform, tuple(table.tolist())))


def _order(colours: Grid, first: npt.NDArray[np.int64]) -> list[int]:
    """All ten colours: black, those that appear by first place, the others."""
    appearing = [int(c) for c in colours[np.argsort(first)] if c]
    return [0, *appearing, *(c for c in range(1, COLOURS) if c not in appearing)]
