"""What is drawn from tasks, against the same done with numpy."""

import numpy as np
import pytest
import torch

from puzzles.arc import ARCS, OUTSIDE, cropped, variant
from puzzles.arc_task import ArcTask
from tests.training.arc_tasks import fill_task, mirror_task
from training.losses import IGNORED_LABEL
from training.task_pool import LearntTasks, TaskPool, encoded, lay
from training.task_set import NamedTask

TEN = ARCS[0]
CPU = torch.device("cpu")
TASKS = tuple(
    NamedTask(name, "made", ArcTask.read(raw))
    for name, raw in {"mirror": mirror_task(0), "fill": fill_task(1)}.items()
)


def pool(variants: int, shift: float) -> TaskPool:
    return TaskPool(LearntTasks(TEN, TASKS, 40, variants), shift=shift, device=CPU)


@pytest.mark.parametrize("variants", [1, 8, 20])
def test_rows_are_the_variants_that_their_task_says(variants: int) -> None:
    drawn = pool(variants, shift=0.0).draw(200, torch.Generator().manual_seed(0))
    assert drawn.task is not None
    assert set(drawn.task.tolist()) == set(range(40, 40 + 2 * variants))
    for tokens, labels, row in zip(drawn.tokens, drawn.labels, drawn.task.tolist(), strict=True):
        task, seen = divmod(row - 40, variants)
        expected = {
            tuple(
                TEN.encode(TEN.on_canvas(variant(seen).apply(grid))).tobytes()
                for grid in (pair.question, pair.answer)
            )
            for pair in TASKS[task].task.demonstrations
        }
        labels = torch.where(labels == IGNORED_LABEL, 0, labels)
        found = tuple(part.numpy().astype(np.int32).tobytes() for part in (tokens, labels))
        assert found in expected


def test_question_and_answer_move_together_and_stay_on_the_canvas() -> None:
    drawn = pool(1, shift=1.0).draw(300, torch.Generator().manual_seed(1))
    corners = set()
    for tokens, labels in zip(drawn.tokens.numpy(), drawn.labels.numpy(), strict=True):
        places = []
        for row in (tokens, labels):
            colours = (row >= 2).reshape(10, 10)
            at = np.argwhere(colours)
            places.append(tuple(at.min(0)))
            height, width = at.max(0) - at.min(0) + 1
            assert colours.sum() == height * width
            assert max(height, width) <= 3
        assert places[0] == places[1]
        corners.add(places[0])
    assert {row for row, _ in corners} == set(range(8 + 1))
    assert len(corners) > 40


def test_lay_and_encode_are_what_the_kind_does() -> None:
    canvas = np.full((10, 10), OUTSIDE, np.uint8)
    canvas[3:5, 2:6] = np.arange(8).reshape(2, 4)
    moved = lay(torch.from_numpy(canvas).long()[None], torch.tensor([[7, 1]]))
    expected = np.full((10, 10), OUTSIDE, np.uint8)
    expected[7:9, 1:5] = cropped(canvas)
    np.testing.assert_array_equal(moved[0], expected)
    np.testing.assert_array_equal(encoded(moved)[0], TEN.encode(expected))


def test_the_same_seed_draws_the_same() -> None:
    first, second = (pool(8, 0.5).draw(20, torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(first.tokens, second.tokens)
