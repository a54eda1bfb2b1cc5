"""`ponder bench adapt`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.bench import Quick, progress
from cli.checkpoints import CheckpointChoice, chosen_checkpoint
from cli.console import console, said_clearly


def adapt(
    model: Annotated[Path, typer.Argument(help="Bundle, checkpoint or run directory with tasks.")],
    tasks: Annotated[Path, typer.Argument(help="Published tasks, with answers; .json or .gz.")],
    names: Annotated[Path, typer.Option(help="Which of them, one a line.")] = Path(
        "recipes/arc_held_out.txt"
    ),
    minutes: Annotated[float, typer.Option(min=0, help="CPU time for the network.")] = 10.0,
    embedding_minutes: Annotated[
        float | None,
        typer.Option(
            min=0, help="CPU time for the embedding alone; 0: not tried [as the network]."
        ),
    ] = None,
    tries: Annotated[
        int, typer.Option(min=1, help="At most, in this time; each number of them is told.")
    ] = 1,
    which: CheckpointChoice = "best",
    part: Annotated[
        str | None, typer.Option(help="As 1/2: the first half of the tasks, for one process of 2.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="JSON lines, one an outcome; what is there is not redone.")
    ] = None,
    quick: Quick = False,
) -> None:
    """Tasks that the model has never seen: adapted to by its network, its embedding, or not."""
    from bench.adapting import Outcome, adapt_all, part_of, read_asked, table, ways_of
    from bench.report import BenchError
    from model.checkpoint import CheckpointError
    from training.dataset import DatasetError
    from training.known_table import checkpoint_of

    with said_clearly(BenchError, CheckpointError, DatasetError), progress() as (_, say):
        asked = part_of(read_asked(tasks, names), part)[: 1 if quick else None]
        fewer = minutes if embedding_minutes is None else embedding_minutes
        ways = ways_of(embedding_minutes=fewer, network_minutes=minutes)
        total = len(asked) * sum(1 if way == "nothing" else tries for way, _ in ways)
        lines = out.read_text().splitlines() if out is not None and out.exists() else []
        known = [Outcome.model_validate_json(line) for line in lines]
        found = list(known)

        def keep(outcome: Outcome) -> None:
            found.append(outcome)
            said = outcome.way if outcome.tries == 1 else f"{outcome.way}, {outcome.tries} tries"
            say(f"{len(found)} of {total}: {outcome.task}, {said}")
            if out is not None:
                with out.open("a") as file:
                    file.write(outcome.model_dump_json() + "\n")

        checkpoint = checkpoint_of(chosen_checkpoint(model, which))
        adapt_all(checkpoint, asked, ways, known, keep, tries=tries, compiled=not quick)
    console.print(table(found), soft_wrap=True, highlight=False)
