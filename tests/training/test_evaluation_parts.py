"""An evaluation that goes on where it was interrupted."""

from pathlib import Path

import pytest

from tests.training.evaluations import AT_ONCE, LATE, SCRIPTS, parts_of
from tests.training.scripted import ScriptedStepper, data
from training.evaluation import Evaluator, Plan
from training.evaluation_parts import PartStore, fingerprint
from training.solves import EvaluationError

PLANS = [Plan((2, 4), part=2), Plan((2, 4), (1, 2), 4, part=2)]


@pytest.mark.parametrize("plan", PLANS, ids=["depth", "attempts"])
def test_an_evaluation_goes_on_after_the_parts_it_finds(tmp_path: Path, plan: Plan) -> None:
    puzzles = data(list(SCRIPTS))
    first = Evaluator(ScriptedStepper(SCRIPTS), plan, model_name="scripted")
    next(first.run(puzzles, PartStore(tmp_path, "x")))
    stepper, times = ScriptedStepper(SCRIPTS), iter([10.0, 15.0])
    again = Evaluator(stepper, plan, model_name="scripted", clock=lambda: next(times))
    *_, last = again.run(puzzles, PartStore(tmp_path, "x"))
    *_, straight = parts_of(plan, puzzles=puzzles)
    assert last.figures == straight.figures
    assert last.unsolved == straight.unsolved
    assert last.seconds > 5.0  # the first part's, and five
    whole = ScriptedStepper(SCRIPTS)
    list(Evaluator(whole, plan, model_name="scripted").run(puzzles))
    assert 0 < len(stepper.batches) < len(whole.batches)


def test_parts_of_another_evaluation_are_refused(tmp_path: Path) -> None:
    PartStore(tmp_path, fingerprint(data([AT_ONCE]), plan="a"))
    PartStore(tmp_path, fingerprint(data([AT_ONCE]), plan="a"))
    for other in (fingerprint(data([LATE]), plan="a"), fingerprint(data([AT_ONCE]), plan="b")):
        with pytest.raises(EvaluationError, match="holds parts of another evaluation"):
            PartStore(tmp_path, other)


def test_a_part_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert PartStore(tmp_path, "x").load(1) is None
