"""Where learning a new task begins: among the known tasks, those that explain it best.

The mean of all embeddings is no task. One that stands for something like it costs a few forward
passes to find, and spares the first part of learning.
"""

import torch
from torch import Tensor

from model.body import ShapeError
from model.trm import TinyRecursiveModel
from puzzles.arc import PAD_TOKEN, Arc
from puzzles.arc_task import Pair
from training.losses import IGNORED_LABEL, answer_loss
from training.recipe import Loss

# At once. What eight rows of 10×10 make of a layer stays in a core's cache: a third of the time.
ROWS, ROWS_ON_CPU = 128, 8
FINALISTS = 24  # tasks that are asked all demonstrations, after all were asked one
MIXES = (1, 2, 4, 8)  # of so many of the best, the mean


def likely_embeddings(trm: TinyRecursiveModel, arc: Arc, pair: Pair) -> Tensor:
    """(K, R, E): the mean of all known tasks, then those of them that answer one pair best.

    R: rows of a task, one or one for each variant. Raises: ShapeError for a model without tasks.
    """
    table = trm.body.tasks
    if table is None:
        raise ShapeError("a model without task embeddings")
    known = table.detach().unflatten(0, (trm.config.tasks, -1))  # (tasks, R, E)
    losses = _losses(trm, known[:, 0], *_as_they_are(arc, (pair,), known.device))
    best = losses.topk(min(FINALISTS, len(known)), largest=False).indices
    return torch.cat([known.mean(0, keepdim=True), known[best]])


def nearest_embedding(
    trm: TinyRecursiveModel, arc: Arc, likely: Tensor, pairs: tuple[Pair, ...]
) -> Tensor:
    """The rows (R, E) of one task that answer `pairs` best before anything is learnt.

    likely: `likely_embeddings`. Tried are their first, which is no task's, the best of the others,
    and means of a few of the best.
    """
    tokens, labels = _as_they_are(arc, pairs, likely.device)
    mean, known = likely[0], likely[1:]
    ranked = known[_losses(trm, known[:, 0], tokens, labels).argsort()]
    mixes = [ranked[:count].mean(0) for count in MIXES if count <= len(ranked)]
    candidates = torch.stack([mean, *mixes])
    return candidates[_losses(trm, candidates[:, 0], tokens, labels).argmin()]


def _as_they_are(arc: Arc, pairs: tuple[Pair, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens and labels (P, S) of demonstrations, neither turned nor moved."""
    tokens, labels = (
        torch.stack([torch.from_numpy(arc.encode(arc.on_canvas(grid))) for grid in grids])
        for grids in zip(*((pair.question, pair.answer) for pair in pairs), strict=True)
    )
    labels = labels.to(device, torch.int64)
    return tokens.to(device), torch.where(labels == PAD_TOKEN, IGNORED_LABEL, labels)


@torch.inference_mode()
def _losses(trm: TinyRecursiveModel, rows: Tensor, tokens: Tensor, labels: Tensor) -> Tensor:
    """(K,) mean answer loss of each embedding (K, E) on P questions, after one supervision step."""
    losses = []
    at_once = ROWS_ON_CPU if rows.device.type == "cpu" else ROWS
    for part in rows.split(max(1, at_once // len(tokens))):
        embeddings = part.repeat_interleave(len(tokens), 0)
        asked, wanted = tokens.repeat(len(part), 1), labels.repeat(len(part), 1)
        variant = torch.zeros(len(asked), dtype=torch.int64, device=asked.device)
        noise = torch.zeros(len(asked), trm.state_len(asked.shape[1]), device=asked.device)
        output = trm.with_task_rows(asked, trm.start(noise), trm.body.look_up(variant, embeddings))
        loss = answer_loss(output.logits, wanted, Loss(name="softmax"))
        losses.append(loss.view(len(part), -1).mean(1))
    return torch.cat(losses)
