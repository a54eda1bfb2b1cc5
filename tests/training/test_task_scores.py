"""pass@k against a case worked by hand, and the competition's file."""

import numpy as np

from puzzles.votes import Vote
from training.task_scores import scored, submission
from training.task_solves import Answered, Question


def answered(name: str, index: int, *cells: int) -> Answered:
    votes = [
        Vote(np.array([[cell]], np.uint8), 0.5)
        for i, cell in enumerate(cells)
        for _ in range(len(cells) - i)
    ]
    question = Question(name, index, np.zeros((1, 1), np.uint8), 0)
    return Answered(question, tuple(votes), 2.0 + index)


# Task a: its first question is right at once, its second at the third candidate. Task b: second.
# Task c: never. Task d has no answer at all.
CASES = [
    answered("a", 0, 5, 1),
    answered("a", 1, 1, 2, 5),
    answered("b", 0, 1, 5),
    answered("c", 0, 1, 2, 3, 4),
    answered("d", 0),
]
TRUTH = {(one.question.name, one.question.index): np.array([[5]], np.uint8) for one in CASES}


def test_pass_at_k_is_the_mean_over_tasks_of_their_questions_share() -> None:
    scores = scored(CASES, TRUTH, views=8, max_steps=3)
    assert scores.pass_at == {1: 0.5 / 4, 2: 1.5 / 4, 5: 2 / 4, 10: 2 / 4}
    assert scores.solved == ("b",)
    assert (scores.tasks, scores.questions, scores.mean_steps) == (4, 5, 2.2)


def test_a_submission_has_two_attempts_for_every_question() -> None:
    entries = submission(CASES)
    assert entries["a"][1] == {"attempt_1": [[1]], "attempt_2": [[2]]}
    assert entries["d"] == [{"attempt_1": [[0]], "attempt_2": [[0]]}]
    assert [len(entries[name]) for name in "abcd"] == [2, 1, 1, 1]
