"""Rules about things: which of them, by what they are, and what becomes of those."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from puzzles.kind import Grid
from training.made.grids import (
    Draw,
    Drawn,
    Rng,
    Thing,
    between,
    blank,
    blob,
    colours,
    enclosed,
    pick,
    place,
    things,
    with_things,
)

Which = Callable[[Grid, Sequence[Thing]], list[bool]]  # of the things, those that are meant
Deed = Callable[[Grid, Sequence[Thing], int], Grid]  # what is done to those, with a colour


def _of_size(best: Callable[[Sequence[int]], int]) -> Which:
    def which(_: Grid, found: Sequence[Thing]) -> list[bool]:
        sizes = [thing.size for thing in found]
        return [size == best(sizes) and sizes.count(size) == 1 for size in sizes]

    return which


def _each(is_meant: Callable[[Thing], bool]) -> Which:
    return lambda _, found: [is_meant(thing) for thing in found]


def _at_edge(grid: Grid, found: Sequence[Thing]) -> list[bool]:
    inside = np.zeros(grid.shape, bool)
    inside[1:-1, 1:-1] = True
    return [bool((thing.mask & ~inside).any()) for thing in found]


def _lone_colour(_: Grid, found: Sequence[Thing]) -> list[bool]:
    of = [thing.colour for thing in found]
    return [of.count(colour) == 1 for colour in of]


def _repeated_shape(_: Grid, found: Sequence[Thing]) -> list[bool]:
    of = [(thing.shape.shape, thing.shape.tobytes()) for thing in found]
    return [of.count(shape) > 1 for shape in of]


def _has_hole(thing: Thing) -> bool:
    return bool(enclosed(thing.shape.astype(np.uint8)).any())


WHICH: Mapping[str, Which] = {
    "largest": _of_size(max),
    "smallest": _of_size(min),
    "at the edge": _at_edge,
    "with a hole": _each(_has_hole),
    "solid": _each(lambda thing: thing.shape.size > 1 and bool(thing.shape.all())),
    "single cell": _each(lambda thing: thing.size == 1),
    "of two cells": _each(lambda thing: thing.size == 2),
    "of three or more": _each(lambda thing: thing.size >= 3),
    "even": _each(lambda thing: thing.size % 2 == 0),
    "tall": _each(lambda thing: thing.shape.shape[0] > thing.shape.shape[1]),
    "square": _each(lambda thing: thing.shape.shape[0] == thing.shape.shape[1] > 1),
    "symmetric": _each(lambda t: t.size > 3 and bool((t.shape == t.shape[:, ::-1]).all())),
    "lone colour": _lone_colour,
    "repeated shape": _repeated_shape,
}


def _recoloured(grid: Grid, meant: Sequence[Thing], colour: int) -> Grid:
    for thing in meant:
        grid[thing.mask] = colour
    return grid


def _removed(grid: Grid, meant: Sequence[Thing], _: int) -> Grid:
    return _recoloured(grid, meant, 0)


def _kept(grid: Grid, meant: Sequence[Thing], _: int) -> Grid:
    keep = np.zeros(grid.shape, bool)
    for thing in meant:
        keep |= thing.mask
    return np.where(keep, grid, 0).astype(np.uint8)


def _boxed(grid: Grid, meant: Sequence[Thing], colour: int) -> Grid:
    """Their boxes are filled."""
    for thing in meant:
        part = grid[thing.box]
        part[part == 0] = colour
    return grid


def _outlined(grid: Grid, meant: Sequence[Thing], colour: int) -> Grid:
    for thing in meant:
        rows, columns = thing.box
        part = grid[
            max(0, rows.start - 1) : rows.stop + 1, max(0, columns.start - 1) : columns.stop + 1
        ]
        part[part == 0] = colour
    return grid


def _cut_out(grid: Grid, meant: Sequence[Thing], _: int) -> Grid:
    return np.where(meant[0].mask, grid, 0).astype(np.uint8)[meant[0].box]


DEEDS: Mapping[str, Deed] = {
    "recoloured": _recoloured,
    "recoloured too": _recoloured,  # twice: what tasks ask for most
    "removed": _removed,
    "kept": _kept,
    "boxed": _boxed,
    "outlined": _outlined,
    "cut out": _cut_out,
}


def chosen_things(rng: Rng) -> Draw:
    """Things of a kind are recoloured, removed, kept, boxed, outlined or cut out."""
    which, deed = pick(rng, list(WHICH)), pick(rng, list(DEEDS))
    own, other, third, mark = colours(rng, 4)
    one_colour = which != "lone colour" and rng.random() < 0.6
    palette = [own] if one_colour else [own, other, third]

    def draw(rng: Rng) -> Drawn | None:
        question = with_things(rng, palette)
        if which == "repeated shape":
            question = _with_twins(rng, palette)
        found = things(question)
        is_meant = WHICH[which](question, found)
        meant = [thing for thing, chosen in zip(found, is_meant, strict=True) if chosen]
        if not meant or len(meant) == len(found) or (deed == "cut out" and len(meant) > 1):
            return None
        return question, DEEDS[deed](question.copy(), meant, mark)

    return draw


def _with_twins(rng: Rng, palette: Sequence[int]) -> Grid:
    grid = blank(rng, 7, 10)
    twin = blob(rng, between(rng, 3, 5))
    for shape in (twin, twin, blob(rng, between(rng, 2, 5)), blob(rng, between(rng, 3, 5))):
        place(rng, grid, shape.astype(np.uint8) * np.uint8(pick(rng, palette)))
    return grid


def two_kinds(rng: Rng) -> Draw:
    """Every thing is recoloured: those of a kind one way, the others another."""
    which = pick(rng, ["largest", "at the edge", "with a hole", "solid", "even", "tall", "square"])
    own, yes, no = colours(rng, 3)

    def draw(rng: Rng) -> Drawn | None:
        question = with_things(rng, [own])
        found = things(question)
        is_meant = WHICH[which](question, found)
        if all(is_meant) or not any(is_meant):
            return None
        answer = question.copy()
        for thing, chosen in zip(found, is_meant, strict=True):
            answer[thing.mask] = yes if chosen else no
        return question, answer

    return draw
