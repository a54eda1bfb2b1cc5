"""Where learning a task begins: at the embedding of a known one that answers it best."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's name for it)

from model.body import ShapeError
from model.config import ModelConfig
from model.trm import TinyRecursiveModel
from puzzles.arc import ARCS
from puzzles.arc_task import ArcTask, Pair
from tests.training.arc_tasks import mirror_task
from training import nearest
from training.nearest import likely_embeddings, nearest_embedding

ARC = ARCS[0]
TASKS, VARIANTS = 6, 2
PAIRS = ArcTask.read(mirror_task(3)).demonstrations


def network(task_rows: str) -> TinyRecursiveModel:
    """Untrained, with embeddings so far apart that each task answers otherwise."""
    torch.manual_seed(0)
    config = ModelConfig.model_validate(
        {"cell": "palette", "hidden_size": 8, "blocks": 1, "latent_recursions": 1}
        | {"tasks": TASKS, "task_variants": VARIANTS, "task_rows": task_rows}
    )
    trm = TinyRecursiveModel(config, (ARC.spec,))
    assert trm.body.tasks is not None
    torch.nn.init.normal_(trm.body.tasks, std=3.0)
    return trm


def loss(trm: TinyRecursiveModel, task: int, pairs: tuple[Pair, ...] = PAIRS) -> float:
    """Of a known task's first variant on demonstrations as they are, one after the other."""
    losses = []
    for pair in pairs:
        tokens, wanted = (
            torch.from_numpy(ARC.encode(ARC.on_canvas(grid))).long().unsqueeze(0)
            for grid in (pair.question, pair.answer)
        )
        start = trm.start(torch.zeros(1, trm.state_len(tokens.shape[1])))
        logits = trm(tokens, start, torch.tensor([task * VARIANTS])).logits
        losses.append(F.cross_entropy(logits[0], wanted[0], ignore_index=0).item())
    return sum(losses) / len(losses)


def nearest_rows(trm: TinyRecursiveModel) -> torch.Tensor:
    return nearest_embedding(trm, ARC, likely_embeddings(trm, ARC, PAIRS[0]), PAIRS)


def with_one_task(trm: TinyRecursiveModel, rows: torch.Tensor) -> TinyRecursiveModel:
    one = TinyRecursiveModel(trm.config.model_copy(update={"tasks": 1}), trm.specs)
    one.load_state_dict(trm.state_dict() | {"body.tasks": rows})
    return one


@pytest.mark.parametrize("task_rows", ["task", "variant"])
def test_no_known_task_nor_their_mean_answers_better(task_rows: str) -> None:
    trm = network(task_rows)
    assert trm.body.tasks is not None
    rows = nearest_rows(trm)
    found = loss(with_one_task(trm, rows), 0)
    known = [loss(trm, task) for task in range(TASKS)]
    mean = trm.body.tasks.detach().unflatten(0, (TASKS, -1)).mean(0)
    assert rows.shape == mean.shape
    assert found <= min(known) + 1e-6
    assert found < loss(with_one_task(trm, mean), 0)
    assert min(known) < max(known) - 0.1  # or it would not matter which


def test_all_are_asked_one_demonstration_and_the_best_of_these_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nearest, "FINALISTS", 1)
    monkeypatch.setattr(nearest, "MIXES", (1,))
    trm = network("task")
    assert trm.body.tasks is not None
    first = min(range(TASKS), key=lambda task: loss(trm, task, PAIRS[:1]))
    assert torch.equal(nearest_rows(trm)[0], trm.body.tasks[first].detach())


def test_a_model_without_tasks_has_none_that_is_near() -> None:
    config = ModelConfig(cell="palette", hidden_size=8, blocks=1, latent_recursions=1)
    with pytest.raises(ShapeError, match="without task embeddings"):
        likely_embeddings(TinyRecursiveModel(config, (ARC.spec,)), ARC, PAIRS[0])
