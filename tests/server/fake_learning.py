"""Stands in for the learning process: `MODE TASK BUNDLE SOURCE ID`.

Modes: learn; wait, until there is a file `go` beside the task, and then learn; fail; half: it ends
with a bundle that is not whole.
"""

import json
import select
import shutil
import sys
from pathlib import Path

from export.manifest import Manifest, file_sha256
from puzzles.arc import ARCS
from puzzles.arc_task import ArcTask
from puzzles.known_tasks import KnownTask, write_known_tasks


def main(mode: str, task: Path, bundle: Path, source: Path, task_id: str) -> int:
    say(phase="starting")
    say(phase="held_out", optimizer_steps=50, loss=0.5, exact=0.25, held_out_accuracy=0.75)
    if mode == "fail":
        sys.stderr.write("first words\nno such weights\n")
        return 3
    if mode == "half":
        bundle.with_name("bundle.partial").mkdir(exist_ok=True)
        return 1
    if mode == "wait":
        go = task.with_name("go")
        while not go.exists():
            if select.select([sys.stdin], [], [], 0.01)[0]:  # its end: the server is gone
                return 1
    sys.stdout.write("a library says something\n")
    aside = bundle.with_name("bundle.partial")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside)
    asked = json.loads(task.read_text())
    shown = ArcTask.read(asked)
    side = max(shown.side, asked["side"] or 0)
    canvas = next(arc for arc in ARCS if side <= arc.size)
    known = KnownTask(task_id, canvas.spec.name, shown)
    manifest = Manifest.read(aside)
    assert manifest.tasks is not None
    write_known_tasks(aside / manifest.tasks.file, [known])
    table = {"tasks": 1, "sha256": file_sha256(aside / manifest.tasks.file)}
    tasks = manifest.tasks.model_copy(update=table)
    manifest.model_copy(update={"name": f"tiny+{task_id}", "tasks": tasks}).write(aside)
    aside.rename(bundle)
    say(phase="done")
    return 0


def say(**figures: object) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(Path, sys.argv[2:5]), sys.argv[5]))
