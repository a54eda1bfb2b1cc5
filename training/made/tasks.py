"""Make tasks of rules of our own, for a network that shall learn what rules are like.

Published tasks have three or four pairs each, which a network can learn by heart. A made one has as
many as are asked for, so that only its rule explains them.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from puzzles.arc_task import ArcTask, Pair
from training.made import cuts, marks, objects, shapes, sizes, wholes
from training.made.grids import Draw, Family, Rng
from training.task_set import MADE_SOURCE, NamedTask

# The order decides what a seed makes. Families with many rules are named several times.
FAMILIES: Sequence[Family] = (
    *(objects.chosen_things,) * 4,
    objects.two_kinds,
    shapes.by_rank,
    shapes.filled_rings,
    shapes.parts_of_rectangles,
    shapes.moved_things,
    *(marks.stamped,) * 2,
    *(marks.rays,) * 3,
    marks.connected,
    marks.presence,
    marks.flooding,
    marks.from_corners,
    marks.legend,
    marks.lone_cells,
    marks.counted_marks,
    wholes.turned,
    wholes.shifted,
    *(wholes.recoloured,) * 2,
    wholes.made_symmetric,
    *(wholes.repaired,) * 2,
    wholes.fallen,
    wholes.framed,
    wholes.extended,
    wholes.commonest,
    wholes.mirrored_things,
    *(cuts.laid_over,) * 2,
    cuts.stacked,
    *(cuts.cropped,) * 2,
    sizes.enlarged,
    sizes.tiled,
    sizes.by_itself,
    sizes.counted,
    sizes.told_colour,
    cuts.condensed,
    cuts.chosen_part,
    sizes.added_frame,
    sizes.palette_list,
    cuts.uncovered,
    cuts.half_of,
)
DRAWS = 40  # for one pair; a rule that fails as often is given up
RULES = 50  # tried for one task
SHOWN_AT_LEAST = 0.7  # of the pairs must have an answer that is not the question


def made_tasks(count: int, pairs: int, seed: int, largest: int) -> Iterator[NamedTask]:
    """`count` tasks of `pairs` demonstrations each, evenly from all families; the same by seed.

    largest: side of a grid. Where that is too small for a family's rules, its tasks are left out.
    """
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        family = FAMILIES[i % len(FAMILIES)]
        for _ in range(RULES):
            task = _shown(family(rng), pairs, largest, rng)
            if task is not None:
                yield NamedTask(f"made-{seed}-{i:04}-{family.__name__}", MADE_SOURCE, task)
                break


def _shown(draw: Draw, pairs: int, largest: int, rng: Rng) -> ArcTask | None:
    """A rule by its pairs, all different; None if it cannot be shown, or asks for nothing."""
    found: dict[tuple[tuple[int, ...], bytes], Pair] = {}
    for _ in range(pairs * DRAWS):
        drawn = draw(rng)
        if drawn is not None and max(*drawn[0].shape, *drawn[1].shape) <= largest:
            pair = Pair(*(np.ascontiguousarray(grid) for grid in drawn))
            found.setdefault((pair.question.shape, pair.question.tobytes()), pair)
        if len(found) == pairs:
            break
    shown = tuple(found.values())
    changed = sum(not np.array_equal(pair.question, pair.answer) for pair in shown)
    if len(shown) < pairs or changed < SHOWN_AT_LEAST * pairs:
        return None
    return ArcTask(shown)
