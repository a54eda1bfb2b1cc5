"""A solved grid for people: boxes drawn, givens bold, filled cells coloured."""

from rich.console import Group
from rich.text import Text

from puzzles.kind import Grid, PuzzleKind
from server.lane import SolveResult
from server.offline import Solved
from server.policy import StoppedBy

GIVEN, FILLED, EMPTY, LINE = "bold", "green", "dim", "dim"


def grid_text(puzzle: PuzzleKind, question: Grid, answer: Grid) -> Text:
    """The grid with lines between its boxes."""
    box_height, box_width = puzzle.spec.box_height or 0, puzzle.spec.box_width or 0
    height, width = question.shape
    text = Text()
    for r in range(height):
        if box_height and r and r % box_height == 0:
            rule = "─" * (2 * box_width)
            text.append("┼".join([rule, *["─" + rule] * (width // box_width - 1)]) + "\n", LINE)
        for c in range(width):
            if box_width and c and c % box_width == 0:
                text.append("│ ", LINE)
            text.append(puzzle.format(answer[r : r + 1, c : c + 1]), _style(question, answer, r, c))
            text.append(" ")
        text.append("\n")
    return text


def _style(question: Grid, answer: Grid, r: int, c: int) -> str:
    if question[r, c]:
        return GIVEN
    return FILLED if answer[r, c] else EMPTY


def summary(result: SolveResult) -> str:
    """One line: what came of it and what it took."""
    steps = f"{_many(result.spent.steps, 'supervision step')}, "
    steps += _many(result.spent.attempts, "attempt")
    took = f"{1000 * (result.queue_s + result.compute_s):.0f} ms"
    if result.solution is None:
        return f"unsolved: {result.finish.stopped_by} after {steps}, {took}"
    checked = "verified" if result.finish.stopped_by is StoppedBy.verified else "not checkable"
    return f"solved, {checked}: {steps}, {took}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def shown(solved: Solved) -> Group:
    """Grid and summary; an unsolved puzzle shows its question, never a guess."""
    result = solved.result
    answer = solved.question if result.solution is None else result.solution
    return Group(grid_text(solved.puzzle, solved.question, answer), Text(summary(result)))
