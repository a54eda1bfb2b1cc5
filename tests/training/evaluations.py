"""Evaluations on trajectories that are known: four puzzles that are solved in ways of their own."""

from tests.training.scripted import ANSWER, FOUR, Said, Script, ScriptedStepper, data, question
from training.evaluation import Evaluated, Evaluator, Plan
from training.evaluation_data import EvaluationData
from training.evaluation_figures import Evaluation
from training.evaluation_parts import PartStore

RIGHT = FOUR.format(ANSWER)
WRONG = f"2{RIGHT[1:]}"  # one cell of sixteen
AT_ONCE, LATE, FLICKERING, BY_RESTART = (question(cell) for cell in (1, 2, 3, 4))
SCRIPTS = {
    AT_ONCE: Script([Said(RIGHT, 2.0)] * 4),
    LATE: Script([Said(WRONG, -2.0), *[Said(RIGHT, 1.0)] * 3]),
    FLICKERING: Script(
        [Said(RIGHT, -1.0), Said(WRONG, -1.0), Said(WRONG, -1.0), Said(RIGHT, -1.0)]
    ),
    BY_RESTART: Script(
        [Said(WRONG, -2.0), Said(WRONG, 1.0), Said(WRONG, -1.0), Said(WRONG, -1.0)],
        noisy=[Said(WRONG, -1.0), Said(WRONG, -1.0), Said(RIGHT, 1.0)],
    ),
}
PLAN = Plan((2, 4), attempts=(1, 2), attempt_steps=4)


def parts_of(
    plan: Plan = PLAN,
    scripts: dict[str, Script] | None = None,
    puzzles: EvaluationData | None = None,
    store: PartStore | None = None,
) -> list[Evaluated]:
    """What is told after each part."""
    evaluator = Evaluator(ScriptedStepper(scripts or SCRIPTS), plan, model_name="scripted")
    puzzles = puzzles or data(list(SCRIPTS), ratings=(0, 5, 9, 70), sources=(0, 0, 1, 1))
    return list(evaluator.run(puzzles, store))


def figures_of(
    plan: Plan = PLAN,
    scripts: dict[str, Script] | None = None,
    puzzles: EvaluationData | None = None,
) -> Evaluation:
    """The figures in the end."""
    return parts_of(plan, scripts, puzzles)[-1].figures
