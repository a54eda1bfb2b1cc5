"""Learning another task from a model that knows some: an embedding, the network, several tries."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from cli.main import app
from model.checkpoint import load_model, load_voters, read_info, save_checkpoint
from puzzles.arc_task import ArcTask
from puzzles.known_tasks import KNOWN_TASKS_FILE, read_known_tasks
from tests.training.arc_tasks import fill_task, mirror_task, write_tasks
from tests.training.task_runs import ATTENTION, CPU, plan, small_set, trained
from training import adaptation_try
from training.adaptation import Adaptation
from training.adaptation_plan import AdaptationPlan, AdaptationProgress, Adapted
from training.adaptation_try import held_out
from training.dataset import DatasetError
from training.known_table import first_tasks
from training.task_solves import Answered, answers_to


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    return trained(directory, plan(small_set(directory)))


def adapted(
    checkpoint: Path, raw: dict[str, Any], **settings: Any
) -> tuple[Adaptation, tuple[Adapted, ...], list[AdaptationProgress]]:
    """After 3 checks of 4 optimizer steps; time stands still until then."""
    made = AdaptationPlan.model_validate(
        {"check_every": 4, "batch_size": 4, "views": 2, "compile": False, "minutes": 1} | settings
    )
    seen: list[AdaptationProgress] = []
    adaptation = Adaptation(
        checkpoint, ArcTask.read(raw), made, device=CPU, clock=lambda: 20.0 * len(seen)
    )
    found = adaptation.run(seen.append, lambda: False)
    return adaptation, found, seen


def votes(answered: Answered) -> list[tuple[list[list[int]], float]]:
    return [(vote.answer.tolist(), vote.halt_probability) for vote in answered.votes]


def test_adapting_moves_the_embedding_first_and_then_the_network(checkpoint: Path) -> None:
    raw = fill_task(7)
    before = load_model(checkpoint).state_dict()
    for what, alone, moves in (
        ("embedding", {"embedding_share": 0.0}, False),
        ("network", {"embedding_share": 0.3}, True),
        ("network", {"embedding_share": 1.0, "embedding_seconds": 30.0}, True),
        ("network", {"embedding_share": 1.0, "embedding_seconds": 60.0}, False),
    ):
        _, [learnt], seen = adapted(checkpoint, raw, what=what, **alone)
        assert [one.optimizer_step for one in seen] == [4, 8, 12]
        after = learnt.trm.state_dict()
        name = "body.blocks.0.own.weight"
        assert torch.equal(after[name], before[name]) is not moves
        assert not torch.equal(after["body.tasks"][0], before["body.tasks"].mean(0))


def test_a_third_demonstration_is_held_out_for_half_of_the_time(checkpoint: Path) -> None:
    _, _, seen = adapted(checkpoint, mirror_task(7))
    assert [one.state for one in seen] == ["held_out", "held_out", "all"]
    assert all(one.held_out is not None for one in seen)
    assert seen[1].seconds_left == 40.0
    _, _, seen = adapted(checkpoint, fill_task(7))  # two demonstrations only
    assert [one.state for one in seen] == ["all"] * 3
    assert all(one.held_out is None for one in seen)


def test_what_is_held_out_does_not_say_where_learning_begins(
    checkpoint: Path, tmp_path: Path
) -> None:
    far_apart = load_model(checkpoint).state_dict()
    rng = torch.Generator().manual_seed(0)
    far_apart["body.tasks"].normal_(std=3.0, generator=rng)  # it matters which task is near
    info = read_info(checkpoint)
    save_checkpoint(tmp_path / "far", info, ema=far_apart, raw=far_apart, resume=None)
    kept, learnt = mirror_task(7), mirror_task(7)
    kept["train"][2:] = fill_task(1)["train"][:1]
    learnt["train"][:2] = fill_task(1)["train"]
    made = AdaptationPlan(views=2, compile=False)
    begun = [
        Adaptation(tmp_path / "far", ArcTask.read(raw), made, device=CPU)
        .run(lambda _: None, lambda: True)[0]
        .trm
        for raw in (mirror_task(7), kept, learnt)
    ]
    asked, other_held_out, other_learnt = (trm.state_dict()["body.tasks"] for trm in begun)
    assert torch.equal(asked, other_held_out)
    assert not torch.equal(asked, other_learnt)


def test_what_was_adapted_is_a_checkpoint_that_answers_the_same(
    checkpoint: Path, tmp_path: Path
) -> None:
    adaptation, [learnt], _ = adapted(checkpoint, fill_task(7))
    adaptation.save(tmp_path / "saved", "mine")
    assert first_tasks(tmp_path / "saved") == {"mine": 0}
    question = np.array([[3, 4]], np.uint8)
    again = load_model(tmp_path / "saved")
    [saved] = answers_to(again, learnt.arc, "mine", (question,), views=2, max_steps=3)
    [asked] = adaptation.answers("mine", (question,))
    assert again.config.tasks == 1
    assert len(saved.votes) == 2
    assert votes(saved) == votes(asked)


WIDE = {"train": [{"input": [[1, 2] * 6], "output": [[1]]}, {"input": [[3]], "output": [[3]]}]}


def test_a_task_may_need_a_canvas_that_a_palette_was_not_trained_on(
    checkpoint: Path, tmp_path: Path
) -> None:
    adaptation, [learnt], seen = adapted(checkpoint, WIDE)
    assert (learnt.arc.size, learnt.optimizer_steps) == (15, 12)
    assert seen[-1].loss < seen[0].loss
    adaptation.save(tmp_path / "saved", "wide")
    [known] = read_known_tasks(tmp_path / "saved" / KNOWN_TASKS_FILE)
    assert (known.puzzle, load_model(tmp_path / "saved").specs) == (
        "arc-15x15",
        (learnt.arc.spec,),
    )
    for side, size in ((0, 10), (10, 10), (16, 20)):
        _, [learnt], _ = adapted(checkpoint, fill_task(7), side=side, minutes=0.2)
        assert learnt.arc.size == size


def test_a_task_that_no_canvas_of_another_cell_holds_is_refused(tmp_path: Path) -> None:
    attention = trained(tmp_path, plan(small_set(tmp_path), model=ATTENTION))
    with pytest.raises(DatasetError, match="a side of 12 cells; the model knows arc-10x10"):
        Adaptation(attention, ArcTask.read(WIDE), AdaptationPlan(), device=CPU)


def test_the_adapt_command(checkpoint: Path, tmp_path: Path) -> None:
    file = write_tasks(tmp_path / "many.json", {"a": fill_task(0)})
    command = [
        "adapt",
        str(checkpoint),
        str(file),
        "--name",
        "a",
        "--minutes",
        "0.001",
        "--no-compile",
    ]
    command += ["--out", str(tmp_path / "out"), "--submission", str(tmp_path / "s.json")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "no rule can check an answer" in result.output
    assert "right within two attempts:" in result.output
    assert first_tasks(tmp_path / "out") == {"a": 0}
    again = CliRunner().invoke(app, command)
    assert again.exit_code != 0
    assert "never overwritten" in again.output


@pytest.fixture
def learnt_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check, after which 20 seconds are gone, finds that nothing is left to learn."""
    monkeypatch.setattr(adaptation_try, "ENOUGH_EXACT", 0.0)


@pytest.mark.usefixtures("learnt_at_once")
def test_tries_begin_while_there_is_as_much_time_as_the_last_one_took(checkpoint: Path) -> None:
    _, found, seen = adapted(checkpoint, mirror_task(7), minutes=3, tries=9)
    assert [one.attempt for one in seen] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [one.seconds for one in seen] == [20.0 * i for i in range(8)]
    assert [one.seconds for one in found] == [40.0] * 4
    _, found, _ = adapted(checkpoint, mirror_task(7), minutes=3, tries=2)
    assert len(found) == 2


@pytest.mark.usefixtures("learnt_at_once")
def test_tries_vote_together(checkpoint: Path, tmp_path: Path) -> None:
    adaptation, found, _ = adapted(checkpoint, fill_task(7), tries=3)
    question = (np.array([[3, 4]], np.uint8),)
    [one], [all_three] = (adaptation.answers("mine", question, tries=n) for n in (1, None))
    assert (len(one.votes), len(all_three.votes)) == (2, 6)
    [last] = answers_to(found[2].trm, found[2].arc, "mine", question, views=2, max_steps=3)
    assert votes(all_three) == votes(one) + votes(all_three)[2:4] + votes(last)
    adaptation.save(tmp_path / "saved", "mine")
    saved = [load_model(tmp_path / "saved"), *load_voters(tmp_path / "saved")]
    tables = [trm.state_dict()["body.tasks"] for trm in saved]
    assert not torch.equal(tables[0], tables[2])
    for table, made in zip(tables, found, strict=True):
        assert torch.equal(table, made.trm.state_dict()["body.tasks"])


def test_each_try_holds_out_another_demonstration_and_never_the_first() -> None:
    pairs = ArcTask.read(mirror_task(7, pairs=4)).demonstrations
    for number, place in enumerate((3, 2, 1, 3)):
        shown, kept = held_out(pairs, number)
        assert kept is pairs[place]
        assert [*map(id, shown)] == [id(pair) for pair in pairs if pair is not kept]
    assert held_out(pairs[:2], 1) == (pairs[:2], None)
